//! The command line of `cargo xtask bench`, and how much a run measures.

use std::{path::PathBuf, time::Duration};

use super::rows::{self, Row};
use crate::{failure::Failure, packages::Install};

const GIBIBYTE: u64 = 1 << 30;

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) scale: Scale,
    pub(crate) write: bool,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) regctl: Option<PathBuf>,
    pub(crate) calibrate: bool,
    pub(crate) install: Install,
    pub(crate) rows: Vec<&'static Row>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) turns: u32,
    pub(crate) large_bytes: u64,
    /// How long a row that counts answers a second goes on.
    pub(crate) window: Duration,
    /// How many repositories a store has that is collected.
    pub(crate) repositories: usize,
}

impl Scale {
    pub(crate) const FULL: Self =
        Self { turns: 5, large_bytes: GIBIBYTE, window: Duration::from_secs(4), repositories: 100 };
    const QUICK: Self = Self {
        turns: 1,
        large_bytes: GIBIBYTE / 8,
        window: Duration::from_secs(1),
        repositories: 4,
    };

    /// The size of the large blob, for titles.
    pub(crate) fn large(&self) -> String {
        match self.large_bytes {
            GIBIBYTE => "1 GiB".to_owned(),
            bytes => format!("{} MiB", bytes >> 20),
        }
    }
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self {
            scale: Scale::FULL,
            write: false,
            folder: None,
            regctl: None,
            calibrate: false,
            install: Install::Allowed,
            rows: Vec::new(),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => options.scale = Scale::QUICK,
                "--write" => options.write = true,
                "--calibrate" => options.calibrate = true,
                "--no-install" => options.install = Install::Forbidden,
                "--dir" => options.folder = Some(value("--dir", words.next())?),
                "--regctl" => options.regctl = Some(value("--regctl", words.next())?),
                name => options.rows.push(row(name)?),
            }
        }
        options.checked()
    }

    /// A table for everybody is whole, full and about us.
    fn checked(mut self) -> Result<Self, Failure> {
        let partial = !self.rows.is_empty() || self.scale != Scale::FULL || self.calibrate;
        if self.write && partial {
            let text =
                "--write takes all rows at full size: no ROW, --quick or --calibrate beside it";
            return Err(Failure::Usage(text.to_owned()));
        }
        if self.rows.is_empty() {
            self.rows = rows::ALL.iter().collect();
        }
        Ok(self)
    }
}

fn value(flag: &str, word: Option<&String>) -> Result<PathBuf, Failure> {
    let path = word.map(PathBuf::from);
    let path = path.ok_or_else(|| Failure::Usage(format!("`{flag}` needs a path")))?;
    // Servers run in other folders than this program.
    std::path::absolute(&path)
        .map_err(|error| Failure::Usage(format!("`{}` is no path: {error}", path.display())))
}

fn row(name: &str) -> Result<&'static Row, Failure> {
    rows::ALL.iter().find(|row| row.name == name).ok_or_else(|| {
        Failure::Usage(format!("no row `{name}`: one of {}", rows::names().join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Failure> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn no_row_means_every_row() {
        assert_eq!(parse("").unwrap().rows.len(), rows::ALL.len());
        let options = parse("--quick push --dir /somewhere pull").unwrap();
        let names: Vec<_> = options.rows.iter().map(|row| row.name).collect();
        assert_eq!(names, ["push", "pull"]);
        assert_eq!(options.folder, Some(PathBuf::from("/somewhere")));
        assert_eq!(options.scale.large(), "128 MiB");
    }

    #[test]
    fn only_a_whole_full_run_may_be_written_down() {
        assert!(parse("--write").is_ok());
        for line in ["--write --quick", "--write push", "--write --calibrate"] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn an_unknown_row_is_answered_with_the_known_ones() {
        let text = parse("pusch").unwrap_err().to_string();
        assert!(text.starts_with("no row `pusch`: one of start, "), "{text}");
        assert_eq!(parse("--dir").unwrap_err().to_string(), "`--dir` needs a path");
    }
}
