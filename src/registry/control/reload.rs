//! Reading the configuration again, for whoever asks: a signal, or the admin socket.

use std::{fmt, sync::Arc};

use tokio::sync::Mutex;

use super::{Control, Reloaded};
use crate::config::Config;
use crate::log::Causes as _;

/// Reads the configuration as it was read at the start: from its file, under the caller's environment.
///
/// What keeps it from being one is said a line for each problem. It may block.
type Read = dyn Fn() -> Result<Config, String> + Send + Sync;

/// Reads the configuration again and takes it over. Clones take turns, so that an older text never replaces a newer
/// one.
#[derive(Clone)]
pub struct Reloader {
    control: Control,
    read: Arc<Read>,
    turn: Arc<Mutex<()>>,
}

/// Why nothing was reloaded, and nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// What was read is no configuration.
    #[error("the configuration is not usable: {}", problems.join("; "))]
    Invalid {
        /// Every problem, with its place.
        problems: Vec<String>,
    },
    /// Reading it panicked.
    #[error("the configuration could not be read: its reader panicked")]
    Panicked,
}

impl Reloader {
    /// Reads by `read`: it may block, and says a line for each problem.
    pub fn new(
        control: Control,
        read: impl Fn() -> Result<Config, String> + Send + Sync + 'static,
    ) -> Self {
        Self { control, read: Arc::new(read), turn: Arc::default() }
    }

    /// What is reloaded.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Reads the configuration, takes over what can change now, and logs what came of it.
    ///
    /// # Errors
    /// There is no configuration to take over; nothing has changed.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let this = self.clone();
        // Whoever asked may go away: a reload that has begun still ends, and in its turn.
        let reloading = tokio::spawn(async move {
            let _turn = this.turn.lock().await;
            let reloaded = this.read_and_take_over().await;
            log(&reloaded);
            reloaded
        });
        reloading.await.unwrap_or(Err(ReloadError::Panicked))
    }

    async fn read_and_take_over(&self) -> Result<Reloaded, ReloadError> {
        let read = Arc::clone(&self.read);
        let read = tokio::task::spawn_blocking(move || read()).await;
        match read.map_err(|_| ReloadError::Panicked)? {
            Ok(config) => {
                self.control.refresh().await;
                Ok(self.control.reload(&config))
            }
            Err(text) => {
                let problems = text.lines().map(str::to_owned).collect();
                Err(ReloadError::Invalid { problems })
            }
        }
    }
}

fn log(reloaded: &Result<Reloaded, ReloadError>) {
    match reloaded {
        Ok(Reloaded { applied, needs_restart }) => {
            tracing::info!(applied = applied.join(" "), "the configuration is reloaded");
            if !needs_restart.is_empty() {
                let keys = needs_restart.join(" ");
                tracing::warn!(keys, "these settings have changed and need a restart");
            }
        }
        Err(error) => {
            tracing::error!(
                error = error.causes(),
                "the configuration is not reloaded; nothing has changed"
            );
        }
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").field("control", &self.control).finish_non_exhaustive()
    }
}
