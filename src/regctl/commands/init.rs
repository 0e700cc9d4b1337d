//! `regctl init`: writes the starter `instance.toml`.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    Context,
    waiting::{self, Waiting},
};
use crate::{
    exit::Failure,
    output::{Document, Report},
    reconfigure::{self, Initialized, Request},
};

/// Write the starter instance.toml and create the instance's folders
///
/// The file gets mode 0600 and is never overwritten. Nothing is started.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl --root ~/registry init
  regctl init --url https://registry.example.com --storage /srv/registry")]
pub(crate) struct Args {
    /// The URL that users will type, as in image names; no path
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The folder for blobs, manifests and tags; a relative one is under the root
    #[arg(long, value_name = "DIR")]
    storage: Option<PathBuf>,
    /// The address the registry listens on [default: 127.0.0.1:5000, or the next free port]
    #[arg(long, value_name = "HOST:PORT")]
    http_addr: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

/// What was made, and what comes next.
#[derive(Debug, Serialize)]
struct Made {
    instance: PathBuf,
    storage: PathBuf,
    registry_http_addr: String,
    port_taken: Option<u16>,
    /// What lets the first user in, where users must sign in.
    first_user: Option<String>,
    #[serde(skip)]
    next: String,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { url, storage, http_addr, waiting } = args;
    let request = Request { url, storage, address: http_addr };
    let waits = waiting::announce(context.printer);
    let made = reconfigure::init(&context.layout, &request, waiting.claim("init"), waits)?;
    let Initialized { instance_toml, storage, address, needs_users, taken } = made;
    let root = context.layout.root();
    Ok(Report::good(&Made {
        instance: instance_toml,
        storage,
        registry_http_addr: address,
        port_taken: taken,
        first_user: needs_users.then(|| command(root, "user add NAME")),
        next: command(root, "run"),
    }))
}

/// Returns a command line on what was made.
fn command(root: &Path, command: &str) -> String {
    match root.parent() {
        Some(_) => format!("regctl --root {} {command}", root.display()),
        None => format!("regctl {command}"),
    }
}

impl Document for Made {
    const SCHEMA: u32 = 1;
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "wrote {}", self.instance.display())?;
        writeln!(f, "data goes to {}", self.storage.display())?;
        if let Some(port) = self.port_taken {
            writeln!(
                f,
                "port {port} is taken: the registry will listen on {}",
                self.registry_http_addr
            )?;
        }
        if let Some(command) = &self.first_user {
            writeln!(f, "let users in with: {command}")?;
        }
        writeln!(f, "start it with: {}", self.next)
    }
}
