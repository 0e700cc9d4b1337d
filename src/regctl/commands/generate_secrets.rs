//! `regctl generate-secrets`: new secrets for an instance that has none, or for a file to carry to other nodes.

use std::{
    fmt,
    path::{self, PathBuf},
};

use serde::Serialize;

use super::{
    Context,
    waiting::{self, Waiting},
};
use crate::{
    exit::Failure,
    output::{Document, Report},
    reconfigure,
};

/// Generate the secrets file, without applying anything
///
/// Every node of a cluster needs the same file. `reconfigure` and `run` generate one when there is none. A file
/// that exists is never overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl generate-secrets
  regctl generate-secrets --file secrets.json")]
pub(crate) struct Args {
    /// Write this file instead of etc/regctl/secrets.json
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    waiting: Waiting,
}

/// What was made.
#[derive(Debug, Serialize)]
struct Generated {
    secrets: PathBuf,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { file, waiting } = args;
    let Context { layout, printer, .. } = context;
    let secrets = match file {
        Some(file) => {
            let unusable = || Failure::Usage(format!("`{}` is no path", file.display()));
            let path = path::absolute(&file).map_err(|_| unusable())?;
            reconfigure::write_secrets(&path)?;
            path
        }
        None => {
            let claim = waiting.claim("generate-secrets");
            reconfigure::generate_secrets(layout, claim, waiting::announce(*printer))?
        }
    };
    Ok(Report::good(&Generated { secrets }))
}

impl Document for Generated {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "wrote {}", self.secrets.display())
    }
}
