//! `regctl registry verify`: what `verify` has done on the storage, in a process of the registry's user.
//!
//! Nobody types it: what is to be done comes on stdin.

use std::{
    io,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use registry::{
    Config,
    verify::{self, Error, Mender, MenderError, Options, Pace, Reader, Sample, State},
};
use serde::{Deserialize, Serialize};

use super::{Context, verified::Told};
use crate::{
    exit::Failure,
    output::{Printer, Progress, Report},
    sys::{runtime, stdin, worker},
};

/// Verify a storage as the command says that has started this
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(help = "The registry's config.yml")]
    pub(super) config: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Order {
    pub(super) repair: bool,
    /// Whether a connection to the registry that serves was passed on.
    pub(super) beside: bool,
    /// How many of a hundred blobs are hashed; none: all.
    pub(super) percent: Option<f64>,
    pub(super) restart: bool,
    pub(super) at_once: usize,
    pub(super) bytes_a_second: Option<NonZeroU64>,
    /// Where what was read is written down.
    pub(super) state: PathBuf,
}

pub(super) fn run(config: &Config, context: &Context) -> Result<Report, Failure> {
    let text = stdin::text().map_err(Failure::Input)?;
    let order: Order =
        serde_json::from_str(&text).map_err(|error| Failure::Input(io::Error::other(error)))?;
    let stop = AtomicBool::new(false);
    let mut news = News::new(context.printer);
    let work = async {
        let signals = runtime::StopSignals::watch().map_err(Failure::Input)?;
        let asked = || stop.store(true, Ordering::Relaxed);
        signals.telling(asked, work(&order, config, &stop, &mut news, context.printer)).await
    };
    let told = runtime::block_on(work).map_err(Failure::Input)??;
    Ok(told.report())
}

async fn work(
    order: &Order,
    config: &Config,
    stop: &AtomicBool,
    news: &mut News,
    printer: Printer,
) -> Result<Told, Failure> {
    // The registry keeps a connection on which something is asked; this one was opened when the command began.
    let socket = match order.repair && order.beside {
        true => Some(worker::registry().map_err(Failure::Input)?),
        false => None,
    };
    let mut told = Told { repair: order.repair, sample: order.percent, ..Told::default() };
    let Some(reader) = Reader::open(&config.storage.driver).await? else { return Ok(told) };
    let beside = match socket {
        Some(socket) => Some(Mender::beside(socket, reader.identity()).await?),
        None => None,
    };
    let sample = Sample::percent(order.percent.unwrap_or(100.0));
    let mut state = State::open(&order.state, &reader.identity(), sample, order.restart)?;
    if let Some(begun) = state.goes_on_since() {
        printer.say(format!(
            "goes on with the run of {begun} that was cut off; --restart begins a new one"
        ));
    }
    let at_once = NonZeroUsize::new(order.at_once).unwrap_or(NonZeroUsize::MIN);
    let options = Options::of(config, at_once);
    let pace = Arc::new(Pace::new(order.bytes_a_second));
    let mut watch = |it| news.tell(it);
    told.found = reader.read(&options, (&mut state, &pace), stop, &mut watch).await?;
    // Only then is the storage this process's alone, where nobody serves it.
    drop(reader);
    if order.repair && told.found.is_repairable() {
        let mut mender = match beside {
            Some(mender) => mender,
            None => Mender::alone(config).await?,
        };
        let repaired = told.found.repair(&mut mender, stop, &mut watch).await;
        mender.close().await;
        match repaired {
            Ok(run) => told.quarantine = run,
            Err(error @ MenderError::Busy(_)) => return Err(error.into()),
            Err(error) => told.not_repaired = Some(registry::log::told(&error)),
        }
    }
    news.end();
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Stopped.into());
    }
    state.finish()?;
    Ok(told)
}

/// How far it is, for whoever looks.
struct News(Progress);

impl News {
    fn new(printer: Printer) -> Self {
        Self(Progress::new(printer))
    }

    fn tell(&mut self, news: verify::Progress) {
        match news {
            verify::Progress::Begun(phase, None) => self.0.begin(phase.as_str(), None),
            verify::Progress::Begun(phase, Some((objects, 0))) => {
                self.0.begin(phase.as_str(), Some(objects));
            }
            verify::Progress::Begun(phase, Some((objects, bytes))) => {
                self.0.begin_bytes(phase.as_str(), objects, bytes);
            }
            verify::Progress::Advanced { objects, bytes } => self.0.advance_bytes(objects, bytes),
        }
    }

    fn end(&mut self) {
        self.0.end();
    }
}
