//! A store that is being served: it is read as it is, and changed by asking the registry that serves it.

use std::{io, sync::Arc, time::SystemTime};

use bytes::Bytes;
use storage::{
    Bulk, Collected, Disposal, Error, Item, KeptRun, Removed, Restored, RunId, Stat, Survey,
};

use super::{
    line::{Line, LineError},
    strangers::Strangers,
};

/// The store, and the line to the registry.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) store: Collected,
    pub(crate) line: Arc<Line>,
    /// What was written since stays.
    pub(crate) before: SystemTime,
    pub(crate) strangers: Arc<Strangers>,
}

impl Bulk for Served {
    fn identity(&self) -> String {
        self.store.identity()
    }

    fn has_repositories(&self) -> bool {
        self.store.has_repositories()
    }

    fn survey(&self) -> Survey {
        self.store.survey()
    }

    async fn read<T, F>(&self, items: Vec<Item>, limit: usize, map: F) -> Result<Vec<T>, Error>
    where
        T: Send + 'static,
        F: Fn(&Item, Result<Bytes, Error>) -> T + Send + Sync + 'static,
    {
        self.store.read(items, limit, map).await
    }

    async fn stat(&self, items: Vec<Item>) -> Result<Vec<Result<Stat, Error>>, Error> {
        self.store.stat(items).await
    }

    async fn remove(
        &self,
        items: Vec<Item>,
        disposal: Disposal,
    ) -> Result<Vec<Result<Removed, Error>>, Error> {
        if let Some(folder) = self.store.folder()
            && let Some(seen) = self.strangers.look(folder).await?
        {
            return Err(Error::io("collect", "the store that is served", io::Error::other(seen)));
        }
        let removed = self.line.remove(&items, &disposal, self.before).await;
        let removed = removed.map_err(|error| failed("remove", error))?;
        let told = |(item, removed): (Item, Result<Removed, String>)| {
            removed.map_err(|error| Error::io("remove", item, io::Error::other(error)))
        };
        Ok(items.into_iter().zip(removed).map(told).collect())
    }

    async fn sync(&self) -> Result<(), Error> {
        self.line.sync().await.map_err(|error| failed("sync", error))
    }

    async fn begin_quarantine(&self, run: &RunId, index: Bytes) -> Result<(), Error> {
        self.store.begin_quarantine(run, index).await
    }

    async fn quarantines(&self) -> Result<Vec<KeptRun>, Error> {
        self.store.quarantines().await
    }

    async fn restore(&self, run: &RunId) -> Result<Restored, Error> {
        self.store.restore(run).await
    }

    async fn discard(&self, run: &RunId) -> Result<(), Error> {
        self.store.discard(run).await
    }
}

fn failed(operation: &'static str, error: LineError) -> Error {
    Error::io(operation, "the store that is served", io::Error::other(error))
}
