//! `regctl tail`: the logs of the services, as they are written.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use super::{Context, selection::Selection};
use crate::{
    exit::Failure,
    output::{Printer, Report},
    state::{Layout, ServiceName, Services},
    supervise::{FollowError, Following, More},
    sys::{signals::Signals, stdout},
};

/// How often it is looked whether there is more.
const LOOK: Duration = Duration::from_millis(200);

/// Follow the logs of services until Ctrl-C
///
/// Begins with the last lines of each log and follows it by name, over its rotations. Where there are several, as
/// nginx's own access and error logs beside what it says, each stands under its path. Nothing has to run for this: a
/// log that is not there yet is waited for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regctl tail
  regctl tail registry -n 100
  regctl tail nginx | grep ' 50[0-9] '")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Begin with so many lines of each log
    #[arg(long, short = 'n', value_name = "LINES", default_value_t = 10)]
    lines: u64,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Report, Failure> {
    let Args { selection, lines } = args;
    let paths = paths(&context.layout, &selection)?;
    if paths.is_empty() {
        context.printer.say("no service is enabled");
        return Ok(Report::silent());
    }
    let stop = stopped().map_err(Failure::Output)?;
    let mut shown = Shown::new(context.printer, paths.len() > 1);
    let mut following = Following::begin(paths, lines)?;
    let mut pause = Duration::ZERO;
    // At the end of a pause nobody has stopped it.
    while stop.recv_timeout(pause).is_err() && !stdout::is_closed() {
        pause = match following.go_on(&mut |path, bytes| shown.show(path, bytes)) {
            Ok(More::Yes) => Duration::ZERO,
            Ok(More::No) => LOOK,
            // A reader that went away is no error.
            Err(FollowError::Show(error)) if error.kind() == ErrorKind::BrokenPipe => break,
            Err(FollowError::Show(error)) => return Err(Failure::Output(error)),
            Err(FollowError::Read(error)) => return Err(error.into()),
        };
    }
    Ok(Report::silent())
}

/// Returns the logs of the services that are meant.
fn paths(layout: &Layout, selection: &Selection) -> Result<Vec<PathBuf>, Failure> {
    let named = selection.named()?;
    let services = Services::load(layout).ok();
    let is_enabled = |name| services.as_ref().is_none_or(|services| services.get(name).enabled);
    let names = ServiceName::ALL.into_iter().filter(|name| match named.is_empty() {
        true => is_enabled(*name),
        false => named.contains(name),
    });
    let own = |name| services.as_ref().map(|services| services.get(name).logs.clone());
    let logs = |name: ServiceName| {
        let said = layout.log(name.as_str()).join("current");
        [said].into_iter().chain(own(name).unwrap_or_default())
    };
    Ok(names.flat_map(logs).collect())
}

/// Hears of Ctrl-C, and of other signals that end a command.
fn stopped() -> io::Result<Receiver<()>> {
    let signals = Signals::block()?;
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        // One that cannot wait for signals ends it too.
        let _ = signals.next();
        // The command may be over already.
        let _ = sender.send(());
    })?;
    Ok(receiver)
}

/// What is on the screen.
struct Shown {
    printer: Printer,
    has_headers: bool,
    /// Whose lines were shown last.
    last: Option<PathBuf>,
}

impl Shown {
    fn new(printer: Printer, has_headers: bool) -> Self {
        Self { printer, has_headers, last: None }
    }

    /// Shows lines under the path of their file, as `tail` does.
    fn show(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.has_headers && self.last.as_deref() != Some(path) {
            let gap = if self.last.is_some() { "\n" } else { "" };
            self.printer.stream(format!("{gap}==> {} <==\n", path.display()).as_bytes())?;
            self.last = Some(path.to_owned());
        }
        self.printer.stream(bytes)
    }
}
