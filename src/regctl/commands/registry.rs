//! `regctl registry`: upstream's own command line, which is also this program's when it is called
//! `registry`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use registry::{Config, config::Parsed};

use super::{Context, cleanup_tags, garbage_collect, migration, usage, verification};
use crate::{
    exit::Failure,
    output::{Printer, Report},
    supervise,
};

/// Run upstream's commands on a config.yml
///
/// The same as the program `registry` of Docker Distribution: no instance.toml is read. Called `registry`,
/// by a link or a copy of that name, this program has only these commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl registry serve /etc/docker/registry/config.yml
  ln -s /usr/bin/regctl /usr/local/bin/registry
  registry serve /etc/docker/registry/config.yml")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Upstream's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a registry until TERM or Ctrl-C
    ///
    /// Variables such as `REGISTRY_HTTP_ADDR` override what the file says. HUP has the file read again: what can change
    /// while it serves does, and the log names what needs a restart.
    #[command(after_help = "\
Examples:
  regctl registry serve /etc/docker/registry/config.yml
  REGISTRY_HTTP_ADDR=127.0.0.1:5001 regctl registry serve config.yml
  kill -HUP $(pidof regctl)")]
    Serve {
        #[arg(help = "The registry's config.yml [env: REGISTRY_CONFIGURATION_PATH]")]
        config: Option<PathBuf>,
    },
    GarbageCollect(garbage_collect::Args),
    #[command(hide = true)]
    CleanupTags(cleanup_tags::Args),
    #[command(hide = true)]
    Migrate(migration::Args),
    #[command(hide = true)]
    Usage(usage::Args),
    #[command(hide = true)]
    Verify(verification::Args),
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    match args.command {
        Command::Serve { config } => serve(config, context),
        Command::GarbageCollect(mut args) => {
            let (path, mut parsed) = load(args.config.take(), context)?;
            // What is noticed of serving is said when it is served.
            let is_about_storage = |key: &str| key.is_empty() || key.starts_with("storage");
            parsed.warnings.retain(|warning| is_about_storage(&warning.key));
            warn(context.printer, &path, &parsed);
            garbage_collect::run(&args, &parsed.config, context)
        }
        Command::CleanupTags(mut args) => {
            let (_, parsed) = load(args.config.take(), context)?;
            cleanup_tags::run(&args, &parsed.config, context)
        }
        Command::Migrate(mut args) => {
            let (_, parsed) = load(args.config.take(), context)?;
            migration::run(&parsed.config, context)
        }
        Command::Usage(mut args) => {
            let (_, parsed) = load(args.config.take(), context)?;
            usage::run(&args, &parsed.config, context)
        }
        Command::Verify(mut args) => {
            let (_, parsed) = load(args.config.take(), context)?;
            verification::run(&parsed.config, context)
        }
    }
}

fn serve(config: Option<PathBuf>, context: &Context) -> Result<Report, Failure> {
    let (path, parsed) = load(config, context)?;
    let printer = context.printer;
    warn(printer, &path, &parsed);
    let key = format!("`http.addr` in `{}`", path.display());
    let listener = supervise::bind(&parsed.config, &key)?;
    let address = listener.address();
    let ready = || printer.say(format!("listening on {address}"));
    let variables = context.environment.registry.clone();
    let read = move || {
        let parsed =
            Config::load(&path, &variables).map_err(|error| supervise::problems(&error))?;
        warn(printer, &path, &parsed);
        Ok(parsed.config)
    };
    supervise::serve(&parsed.config, listener, read, ready)?;
    Ok(Report::silent())
}

/// Reads the config.yml that is named, here or in the environment.
fn load(config: Option<PathBuf>, context: &Context) -> Result<(PathBuf, Parsed), Failure> {
    let environment = &context.environment;
    let path = config.or_else(|| environment.registry_configuration.clone()).ok_or_else(|| {
        Failure::Usage(
            "a config.yml is needed: name one, or set REGISTRY_CONFIGURATION_PATH".to_owned(),
        )
    })?;
    let parsed = Config::load(&path, &environment.registry)
        .map_err(|error| supervise::Error::Config(Box::new(error)))?;
    Ok((path, parsed))
}

fn warn(printer: Printer, path: &Path, parsed: &Parsed) {
    for warning in &parsed.warnings {
        printer.warn(format!("{}: {warning}", path.display()));
    }
}
