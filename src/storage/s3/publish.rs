//! How the bytes of an upload session become a blob.

use std::{future::poll_fn, sync::Arc};

use oci::{Algorithm, Digest, Digester};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{parts::Parts, reading::Reading, sessions::Traces, store::Store};
use crate::{
    Error, Key, Kind,
    remote::{Remote, WAITING},
};

impl Store {
    /// Makes a session the blob `digest`. The caller has compared the digest.
    pub(super) async fn publish(
        self: &Arc<Self>,
        mut parts: Parts,
        digest: &Digest,
    ) -> Result<(), Error> {
        let path = self.path(Key::Blob(digest));
        if parts.blob.is_some_and(|blob| blob != *digest) {
            return Err(parts.error(Kind::NotFound, "publish"));
        }
        let length = parts.len();
        if !parts.is_new && self.size(&path).await? == Some(length) {
            return parts.give_up().await;
        }
        if parts.tags.is_empty() && !parts.is_complete {
            let all = parts.pending.take(usize::MAX);
            return self.put_body(&path, all.body().into()).await;
        }
        parts.complete().await?;
        if parts.blob.is_none() {
            self.copy(&parts.multipart.path, &path, length).await?;
        }
        self.sessions.leaves(parts.session.held.id, Traces::Objects);
        Ok(())
    }

    /// Reads an object and hashes it.
    pub(super) async fn hash_object(
        self: &Arc<Self>,
        path: &str,
        algorithm: Algorithm,
    ) -> Result<Digester, Error> {
        let (reading, stat) = self.reading(path).await?;
        let (to, mut arriving) = mpsc::channel(WAITING);
        reading.send(0..stat.size, to);
        let mut digester = Digester::new(algorithm);
        while let Some(piece) = poll_fn(|context| arriving.poll_recv(context)).await {
            let piece = piece?;
            let hashed = spawn_blocking(move || {
                digester.update(&piece);
                digester
            });
            digester = hashed.await.map_err(|_| self.error(Kind::Other, "hash", path))?;
        }
        if digester.hashed() == stat.size {
            Ok(digester)
        } else {
            Err(self.error(Kind::Truncated, "hash", path))
        }
    }

    /// Opens an object for reading.
    pub(super) async fn reading(
        self: &Arc<Self>,
        path: &str,
    ) -> Result<(Arc<Reading>, crate::Stat), Error> {
        let head = self.head(path, "open").await?;
        let (store, path, name) = (Arc::clone(self), path.to_owned(), self.named(path));
        Ok((Arc::new(Reading { store, path, name, tag: head.tag }), head.stat))
    }
}

impl Parts {
    /// Forgets what nobody needs: there is such a blob.
    async fn give_up(mut self) -> Result<(), Error> {
        self.let_arrive().await;
        match self.multipart.known_id() {
            Some(id) if !self.is_complete => self.store.abort(&self.multipart.path, id).await,
            Some(_) | None => Ok(()),
        }
    }
}
