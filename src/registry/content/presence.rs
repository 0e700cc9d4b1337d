//! That others know of this registry: on a store that several machines may use, a lease says so as long as it serves.
//!
//! The lease says whether anything is written, and says the truth of a read-only registry only when its last write has
//! ended: then a collection elsewhere may begin. Without it nothing is written.

use std::{
    error::Error as StdError,
    sync::{Mutex, PoisonError},
};

use storage::Wish;
use tokio::{join, select, sync::watch};

use super::Content;

impl Content {
    /// Says that this registry serves the storage until `leave`, and then that it does no more. From the call on nothing is
    /// written before that was said.
    pub(crate) fn be_present(
        self,
        leave: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = ()> + Send {
        self.backend().expect_lease();
        self.present(leave)
    }

    async fn present(self, leave: impl Future<Output = ()> + Send) {
        if !self.backend().is_remote() {
            // Who has it open holds a lock.
            return;
        }
        let first = if self.is_read_only() { Wish::Read } else { Wish::Write };
        let (wishing, wish) = watch::channel(first);
        let following = async {
            select! {
                () = self.follow(&wishing) => {}
                () = leave => {}
            }
            wishing.send_replace(Wish::Leave);
        };
        let told = Told::default();
        join!(self.backend().serve(wish, |renewed| told.hear(renewed)), following);
    }

    /// Has the lease follow the switches to read-only and back. Never ends.
    async fn follow(&self, wishing: &watch::Sender<Wish>) {
        loop {
            self.still().await;
            wishing.send_replace(Wish::Read);
            self.writable().await;
            wishing.send_replace(Wish::Write);
        }
    }
}

/// What the log was told of the lease last.
#[derive(Debug, Default)]
struct Told(Mutex<Option<String>>);

impl Told {
    /// Logs what is new: a lease that is missing for an hour is said once.
    fn hear(&self, renewed: Result<(), &storage::Error>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match renewed {
            Ok(()) => {
                if told.take().is_some() {
                    tracing::info!("the lease on the storage is there: writes are taken");
                }
            }
            Err(error) => {
                let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                if told.as_ref() != Some(&cause) {
                    let error = error as &(dyn StdError + 'static);
                    tracing::warn!(
                        error,
                        "there is no lease on the storage: nothing is written until there is one"
                    );
                    *told = Some(cause);
                }
            }
        }
    }
}
