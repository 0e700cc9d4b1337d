//! From a file, or its text, and an environment to a [`Config`].

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::{
    Config, Invalid, LoadError, Warning,
    check::{self, Findings},
    environment, read,
    yaml::{self, Source},
};

/// The longest file that is read; real ones are a hundred times shorter.
const LONGEST: usize = 1024 * 1024;

/// A configuration that can be used, with what was noticed on the way.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The configuration.
    pub config: Config,
    /// To be logged once the log stands.
    pub warnings: Vec<Warning>,
}

impl Config {
    /// Reads the text of a `config.yml`, changed by the variables whose names begin with
    /// `REGISTRY_`.
    pub fn parse(text: &str, environment: &[(String, String)]) -> Result<Parsed, Invalid> {
        let mut findings = Findings::default();
        let mut root = match yaml::parse(text, Source::File, &mut findings.warnings) {
            Ok(root) => root,
            Err(problem) => return Err(Invalid { problems: vec![problem] }),
        };
        let Findings { problems, warnings } = &mut findings;
        environment::apply(&mut root, environment, problems, warnings);
        environment::spread_names(&mut root);
        check::check(&root, &mut findings);
        match read::config(&root, &mut findings) {
            Some(config) if findings.problems.is_empty() => {
                Ok(Parsed { config, warnings: findings.warnings })
            }
            Some(_) | None => Err(Invalid { problems: findings.problems }),
        }
    }

    /// Reads the file at `path` as [`Config::parse`] does its text.
    pub fn load(path: &Path, environment: &[(String, String)]) -> Result<Parsed, LoadError> {
        let text = read_text(path)?;
        Self::parse(&text, environment)
            .map_err(|source| LoadError::Invalid { path: path.to_owned(), source })
    }
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    let bytes =
        read_bytes(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    if bytes.len() > LONGEST {
        return Err(LoadError::TooLong { path: path.to_owned(), limit: LONGEST });
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..offset];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        LoadError::NotUtf8 { path: path.to_owned(), offset, line }
    })
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(LONGEST).map_or(u64::MAX, |longest| longest + 1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
