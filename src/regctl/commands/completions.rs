//! `regctl completions`: scripts that complete regctl's command line.

use clap::{Command, ValueEnum};
use clap_complete::{Shell as Generator, generate as generate_script};

use crate::{exit::Failure, output::Report};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl completions bash > /etc/bash_completion.d/regctl
  regctl completions zsh > /usr/local/share/zsh/site-functions/_regctl
  regctl completions fish > ~/.config/fish/completions/regctl.fish")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The shells with a script.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("../../../completions/regctl.bash"),
            Self::Zsh => include_str!("../../../completions/_regctl"),
            Self::Fish => include_str!("../../../completions/regctl.fish"),
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Bash => "regctl.bash",
            Self::Zsh => "_regctl",
            Self::Fish => "regctl.fish",
        }
    }

    fn generator(self) -> Generator {
        match self {
            Self::Bash => Generator::Bash,
            Self::Zsh => Generator::Zsh,
            Self::Fish => Generator::Fish,
        }
    }
}

pub(crate) fn run(args: Args) -> Result<Report, Failure> {
    let Args { shell } = args;
    Ok(Report::file(shell.script().to_owned()))
}

/// Generates every script from the command line's definition.
pub(crate) fn generate(mut command: Command) -> Vec<(String, Vec<u8>)> {
    let one = |shell: &Shell| {
        let mut script = Vec::new();
        generate_script(shell.generator(), &mut command, "regctl", &mut script);
        (shell.file_name().to_owned(), script)
    };
    Shell::value_variants().iter().map(one).collect()
}
