//! What the registry writes down: one line for each event, one for each request.
//!
//! Lines about events go to standard error (or where `log.output` says) in logrus' formats, because that is what is parsed out
//! there; the access log goes to standard output. Both pass through a [`Sink`], so that no request
//! waits for a terminal.

mod access;
mod access_json;
mod causes;
mod correlation;
mod json;
mod layer;
mod logstash;
mod quote;
mod record;
mod sink;
#[cfg(test)]
mod tests;
mod text;

use std::{io, panic, sync::OnceLock};

use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

pub use access::{Access, AccessLine};
pub(crate) use causes::Causes;
pub use causes::told;
pub(crate) use correlation::Correlation;
pub use layer::set_level;
pub use sink::Sink;

use crate::config::{self, LogOutput};
use layer::Lines;

/// Keeps the log alive; dropping it writes out what is waiting.
#[derive(Debug)]
pub struct Guard {
    sink: Sink,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thread that writes could not be started.
    #[error("failed to start the log's thread")]
    Thread(#[source] io::Error),
    /// Something else set a global subscriber before.
    #[error("a log is already set up in this process")]
    AlreadySet,
}

/// Sets up the log of this process, on standard error unless `log.output` says otherwise.
pub fn init(config: &config::Log) -> Result<Guard, Error> {
    let sink = match config.output {
        LogOutput::Stderr => Sink::stderr(),
        LogOutput::Stdout => Sink::stdout(),
    };
    let sink = sink.map_err(Error::Thread)?;
    set_level(config.level);
    tracing_subscriber::registry()
        .with(Lines::new(config, sink.clone()))
        .try_init()
        .map_err(|_| Error::AlreadySet)?;
    flush_before_panics(sink.clone());
    Ok(Guard { sink })
}

impl Guard {
    /// Waits until every line so far has been written.
    pub fn flush(&self) {
        self.sink.flush();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A panic may be the last thing that happens: the lines before it must not be lost with it.
fn flush_before_panics(sink: Sink) {
    static HOOKED: OnceLock<()> = OnceLock::new();
    HOOKED.get_or_init(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            sink.flush();
            previous(panic);
        }));
    });
}
