//! The command line: the root of clap's definition, and the step from arguments to what is meant.

use std::{
    ffi::{OsStr, OsString},
    path::{self, Path, PathBuf},
};

use clap::{CommandFactory as _, Parser};

use crate::{
    commands::{self, Command, Context, internal},
    config::load::Environment,
    exit::{Exit, Failure},
    output::{Format, Printer, Volume},
    state::Layout,
};

/// Run a container registry: one binary, one instance.toml, one command to apply it
///
/// regctl runs a registry for Docker and OCI images on Docker Distribution's own storage layout and
/// config.yml, with the settings and command names of GitLab's gitlab-ctl.
///
/// Another program has the same name: the registry client of the regclient project. To have both, install
/// this one as, say, `registry-ctl`: it works under any name (`registry` gives it the command line of Docker
/// Distribution's server).
#[derive(Debug, Parser)]
#[command(
    name = "regctl",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "\
Examples:
  regctl --root ~/registry run       start a registry that needs no root rights
  regctl init                        write /etc/regctl/instance.toml
  regctl check-config                list every problem in it
  regctl registry serve config.yml   serve an existing registry's config.yml"
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The environment is read elsewhere, so that clap cannot add this itself.
const ROOT_HELP: &str = "The folder of the whole instance [env: REGCTL_ROOT] [default: /]";

/// Options that every command takes, anywhere on the line.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    #[arg(long, global = true, value_name = "DIR", help = ROOT_HELP)]
    root: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing unless something needs a look
    #[arg(long, short, global = true)]
    quiet: bool,
}

/// Serve a registry on Docker Distribution's config.yml and storage
///
/// This is regctl under the name of Docker Distribution's server; `regctl --help` has the rest.
#[derive(Debug, Parser)]
#[command(
    name = "registry",
    version = concat!("regctl ", env!("CARGO_PKG_VERSION")),
    disable_version_flag = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
)]
struct Upstream {
    /// Print the version
    #[arg(long, short = 'v', action = clap::ArgAction::Version)]
    version: Option<bool>,
    /// Say nothing unless something needs a look
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: commands::registry::Command,
}

/// Returns the whole definition, for the manual and completions.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Runs a command line and says how it ended.
pub(crate) fn main(arguments: Vec<OsString>) -> Exit {
    let arguments = match internal::take_over(arguments) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let environment = Environment::read();
    if let Some(command) = internal::Command::parse(&arguments, &environment) {
        return internal::run(&command);
    }
    let (global, command) = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error),
    };
    let printer = printer(&global, &environment);
    let ended = resolve(global, environment)
        .and_then(|context| commands::run(command, &context))
        .and_then(|report| {
            printer.report(&report).map_err(Failure::Output).map(|()| report.verdict.into())
        });
    ended.unwrap_or_else(|failure| {
        printer.error(&failure, failure.hint().as_deref());
        failure.exit()
    })
}

fn parse(arguments: Vec<OsString>) -> Result<(Global, Command), clap::Error> {
    match is_upstream(&arguments) {
        true => Upstream::try_parse_from(arguments).map(upstream),
        false => Cli::try_parse_from(arguments).map(|Cli { global, command }| (global, command)),
    }
}

/// Whether the program was called by the name of Docker Distribution's server.
fn is_upstream(arguments: &[OsString]) -> bool {
    let name = arguments.first().and_then(|name| Path::new(name).file_name());
    name == Some(OsStr::new("registry"))
}

fn upstream(Upstream { version: _, quiet, command }: Upstream) -> (Global, Command) {
    let global = Global { root: None, json: false, quiet };
    (global, Command::Registry(commands::registry::Args { command }))
}

/// Prints help, the version, or what is wrong with the command line.
fn usage(error: &clap::Error) -> Exit {
    // A reader that went away is no error, and there is no other way to report one.
    let _ = error.print();
    match error.exit_code() {
        0 => Exit::Done,
        _ => Exit::Usage,
    }
}

fn printer(global: &Global, environment: &Environment) -> Printer {
    let format = if global.json { Format::Json } else { Format::Text };
    let volume = if global.quiet { Volume::Quiet } else { Volume::Normal };
    Printer::new(format, volume, environment.no_color)
}

/// Turns options and environment into what every command is given.
fn resolve(global: Global, mut environment: Environment) -> Result<Context, Failure> {
    let printer = printer(&global, &environment);
    let Global { root, json: _, quiet: _ } = global;
    let root = root.or_else(|| environment.root.take()).unwrap_or_else(|| PathBuf::from("/"));
    let unusable = || {
        Failure::Usage(format!("`{}` cannot be a root: it must be a path in UTF-8", root.display()))
    };
    let root =
        path::absolute(&root).ok().filter(|root| root.to_str().is_some()).ok_or_else(unusable)?;
    Ok(Context { layout: Layout::new(root), printer, environment })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
        Upstream::command().debug_assert();
    }
}
