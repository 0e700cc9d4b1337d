//! The command line of `cargo xtask test`.

use crate::{failure::Failure, packages::Install};

/// How long the tests may look for trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Usual,
    Full,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) depth: Depth,
    pub(crate) install: Install,
    pub(crate) filter: Option<String>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self { depth: Depth::Usual, install: Install::Allowed, filter: None };
        for argument in arguments {
            match argument.as_str() {
                "--full" => options.depth = Depth::Full,
                "--no-install" => options.install = Install::Forbidden,
                flag if flag.starts_with('-') => {
                    let text = format!("`test` has no `{flag}`: --full, --no-install or a FILTER");
                    return Err(Failure::Usage(text));
                }
                filter if options.filter.is_none() => options.filter = Some(filter.to_owned()),
                second => {
                    return Err(Failure::Usage(format!(
                        "one FILTER is allowed, not also `{second}`"
                    )));
                }
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Failure> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn flags_and_a_filter_stand_in_any_order() {
        let filter = Some("torn".to_owned());
        let all = Options { depth: Depth::Full, install: Install::Forbidden, filter };
        assert_eq!(parse("--full torn --no-install").unwrap(), all);
    }

    #[test]
    fn unknown_flags_and_second_filters_are_usage_errors() {
        assert_eq!(parse("--fast").unwrap_err().exit_code(), 2);
        assert_eq!(parse("one two").unwrap_err().exit_code(), 2);
    }
}
