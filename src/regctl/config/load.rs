//! What comes from outside: the environment, read once, and the file.
//!
//! No other file of regctl reads an environment variable.

use std::{
    env,
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{
    Invalid, Parsed, Problem, parse::parse_with, secret_files::ReadRequest, settings::Settings,
};
use crate::sys::{clock, fs};

/// The environment variables that mean something to regctl.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `REGCTL_ROOT`: the root, unless `--root` says otherwise.
    pub(crate) root: Option<PathBuf>,
    /// `NO_COLOR`: set and not empty means no color.
    pub(crate) no_color: bool,
    /// `SVWAIT`: how many seconds commands wait for a service, as runit's `sv` reads it.
    pub(crate) service_wait: Option<String>,
    /// `REGISTRY_CONFIGURATION_PATH`: the file of `registry serve` when none is named.
    pub(crate) registry_configuration: Option<PathBuf>,
    /// `REGISTRY_*`: overrides of a registry's `config.yml`.
    pub(crate) registry: Vec<(String, String)>,
}

impl Environment {
    pub(crate) fn read() -> Self {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let text = env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self {
            root: path("REGCTL_ROOT"),
            no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            service_wait: env::var_os("SVWAIT")
                .filter(|value| !value.is_empty())
                .map(|value| value.to_string_lossy().into_owned()),
            registry_configuration: path("REGISTRY_CONFIGURATION_PATH"),
            registry: text.filter(|(name, _)| name.starts_with("REGISTRY_")).collect(),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no instance: `{}` does not exist", .0.display())]
    Missing(PathBuf),
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Reads and parses `instance.toml`, and the files that it names for its secrets.
pub(crate) fn load(path: &Path) -> Result<Parsed, Error> {
    let invalid = |problems| Invalid { path: path.to_owned(), problems };
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            let message = format!("not an instance.toml: {}", error.source);
            return Err(invalid(vec![unreadable(1, message)]).into());
        }
        bytes => bytes?.ok_or_else(|| Error::Missing(path.to_owned()))?,
    };
    let text = text(bytes).map_err(|problem| invalid(vec![problem]))?;
    parse_as(path, &text)
}

/// Parses what `instance.toml` would hold, and reads the files that it names for its secrets.
pub(crate) fn parse_as(path: &Path, text: &str) -> Result<Parsed, Error> {
    let invalid = |problems| Invalid { path: path.to_owned(), problems };
    let read = |file: &ReadRequest<'_>| secret_file(path, file);
    let mut parsed = parse_with(text, &read, clock::unix_time()).map_err(invalid)?;
    parsed.warnings.extend(exposed(path, &parsed.settings));
    Ok(parsed)
}

/// Takes bytes for text, or says what they are instead.
fn text(bytes: Vec<u8>) -> Result<String, Problem> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(unreadable(1, "not UTF-8: the file is UTF-16".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        unreadable(line, "not UTF-8: a byte in this line belongs to no character".to_owned())
    })?;
    match text.contains('\0') {
        true => Err(unreadable(1, "not text: the file has null bytes, as UTF-16 has".to_owned())),
        false => Ok(text),
    }
}

fn unreadable(line: usize, message: String) -> Problem {
    let hint = Some("save it as UTF-8, as editors do by themselves".to_owned());
    let hint = hint.filter(|_| message.contains("UTF"));
    Problem { line, column: 1, key: String::new(), message, hint }
}

/// Warns of a file that holds a secret and that everybody may read.
fn exposed(path: &Path, settings: &Settings) -> Option<Problem> {
    let mode = path.metadata().ok()?.permissions().mode() & 0o7777;
    let key = settings.first_secret().filter(|_| mode & 0o004 != 0)?;
    let (line, column) = settings.place(&key);
    let file = path.display();
    let message = format!("`{key}` is secret, and everybody may read `{file}` (mode {mode:04o})");
    Some(Problem { line, column, key, message, hint: Some(format!("chmod 0600 {file}")) })
}

/// Reads a file named in `instance.toml`; a relative path is under the root.
fn secret_file(instance_toml: &Path, file: &ReadRequest<'_>) -> Result<String, String> {
    // The file is etc/regctl/instance.toml under the root.
    let root = instance_toml.ancestors().nth(3).unwrap_or(Path::new("/"));
    let path = root.join(file.path);
    let reason = |error: io::Error| error.to_string();
    if file.is_secret {
        let mode = path.metadata().map_err(reason)?.permissions().mode();
        if mode & 0o007 != 0 {
            return Err(format!("everybody can reach it (mode {:04o})", mode & 0o7777));
        }
    }
    match fs::read_to_string(&path) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err("there is no such file".to_owned()),
        Err(error) => Err(reason(error.source)),
    }
}
