//! The chores of this repository, as `cargo xtask CHORE`: in Rust, so that a machine with Rust needs no other tool
//! to begin. This file only reads the first word and turns a failure into an exit code.

mod bench;
mod docs;
mod failure;
mod packages;
mod store;
mod sys;
mod test;

use std::{env, process::ExitCode};

use failure::Failure;
use sys::terminal;

const HELP: &str = "\
The chores of this repository.

Usage: cargo xtask CHORE [OPTION]...

  test [--full] [--no-install] [FILTER]
      Installs the programs that the tests drive, then runs rustfmt, clippy and every test.
      With FILTER, only the tests whose name contains it, without rustfmt and clippy.
        --full         longer: more cases of every property, REGCTL_TEST_FULL=1 for the tests
        --no-install   installs nothing; names what is missing and ends

  bench [--quick] [--write] [--dir DIR] [--regctl FILE] [--calibrate] [--no-install] [ROW]...
      Measures the release build beside Debian's docker-registry, in turns, on this machine.
        --quick        small objects and one turn: shows that a row works, not how fast it is
        --write        rewrites the table in BENCHMARKS.md (all rows, not quick)
        --dir DIR      keeps both registries under DIR instead of the target folder
        --regctl FILE  measures this binary instead of building one
        --calibrate    docker-registry on both sides: what differs then is noise
      Rows: @ROWS@

  generate-store [--wide] [--repositories N] FOLDER
      Writes a storage folder with much to collect: 100 repositories with 100 tags and 66 untagged manifests each.
        --wide            one repository with 1,000 tags and 1,000 stale manifests
        --repositories N  so many of them

  docs
      Rewrites the generated files: runs the tests named `generated` with REGCTL_REGENERATE=1.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = match env::args_os().skip(1).map(|arg| arg.into_string()).collect()
    {
        Ok(arguments) => arguments,
        Err(argument) => {
            return end(Err(Failure::Usage(format!("`{}` is not UTF-8", argument.display()))));
        }
    };
    end(dispatch(&arguments))
}

fn dispatch(arguments: &[String]) -> Result<(), Failure> {
    let Some((chore, rest)) = arguments.split_first() else {
        terminal::data(&help());
        return Ok(());
    };
    if rest.iter().any(|argument| argument == "--help" || argument == "-h") {
        terminal::data(&help());
        return Ok(());
    }
    match chore.as_str() {
        "test" => test::run(&test::Options::parse(rest)?),
        "bench" => bench::run(&bench::Options::parse(rest)?),
        "generate-store" => store::run(&store::Options::parse(rest)?),
        "docs" => docs::run(rest),
        "help" | "--help" | "-h" => {
            terminal::data(&help());
            Ok(())
        }
        other => {
            Err(Failure::Usage(format!("no chore `{other}`: test, bench, generate-store or docs")))
        }
    }
}

fn help() -> String {
    HELP.replace("@ROWS@", &bench::row_names().join(", "))
}

fn end(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::talk(&format!("xtask: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_chore_is_a_usage_error() {
        let failure = dispatch(&["paint".to_owned()]).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert_eq!(failure.to_string(), "no chore `paint`: test, bench, generate-store or docs");
    }

    #[test]
    fn the_help_names_every_row() {
        for row in bench::row_names() {
            assert!(help().contains(row), "{row}");
        }
    }
}
