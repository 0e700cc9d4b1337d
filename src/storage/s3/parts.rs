//! The writing end of an upload session in a bucket.
//!
//! Bytes are collected until they are worth a part; a part is hashed on a blocking thread while it leaves, and the
//! one after it is received. At the end of a request what is no part yet is stored beside the session, with the tags of
//! the parts and the state of their hash, so that any process can go on from there.
//!
//! A hash speaks for the parts whose tags are kept here, and the store puts together no others: whoever else writes
//! to the session at the same time, from another process, makes it fail and never makes it wrong.

use std::sync::Arc;

use bytes::Bytes;
use oci::{Algorithm, Digest, Digester};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};

use super::{
    multipart::{MOST_PARTS, Multipart, PartSize},
    pending::{Part, Pending},
    record::{Record, Stamp},
    sessions::Traces,
    store::Store,
    upload::Session,
};
use crate::{Error, Key, Kind, UploadId};

/// Parts of one upload on their way at once, while another one is received.
const IN_FLIGHT: usize = 2;

/// The writing end of a session. Dropping it frees the session; what came since the last record is lost.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(super) store: Arc<Store>,
    pub(super) session: Arc<Session>,
    /// The blob at whose place the parts are.
    pub(super) blob: Option<Digest>,
    pub(super) multipart: Arc<Multipart>,
    /// The tags of the parts, in their order; none of those that are on their way.
    pub(super) tags: Vec<Option<String>>,
    pub(super) pending: Pending,
    /// How many bytes are in parts.
    sent: u64,
    in_flight: JoinSet<Result<(usize, String), Error>>,
    hash: Hash,
    /// What the session's record says, as far as this knows; none while there is none.
    recorded: Option<Stamp>,
    writer: UploadId,
    recording: Option<JoinHandle<Result<Stamp, Error>>>,
    pub(super) is_complete: bool,
    /// Whether a part has failed, with whose bytes the session has lost its end.
    has_failed: bool,
    /// Whether the blob was not there a moment ago.
    pub(super) is_new: bool,
}

/// The hash of all parts.
#[derive(Debug)]
enum Hash {
    Known(Digester),
    Running(JoinHandle<Digester>),
    Lost,
}

/// What a session is opened with.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) record: Option<Record>,
    pub(super) hash: Option<Digester>,
}

impl Default for Opened {
    fn default() -> Self {
        Self { record: None, hash: Some(Digester::new(Algorithm::Sha256)) }
    }
}

impl Parts {
    pub(super) fn new(store: &Arc<Store>, session: Session, opened: Opened) -> Self {
        let Opened { record, hash } = opened;
        let recorded = record.as_ref().map(|record| record.stamp);
        let sent = record.as_ref().map_or(0, Record::sent);
        let (blob, id, tags, tail, is_complete) = match record {
            Some(record) => {
                let Record { blob, multipart, parts, tail, is_complete, .. } = record;
                (blob, multipart, parts.into_iter().map(Some).collect(), tail, is_complete)
            }
            None => Default::default(),
        };
        let path = match &blob {
            Some(digest) => store.path(Key::Blob(digest)),
            None => store.path(session.data()),
        };
        Self {
            store: Arc::clone(store),
            session: Arc::new(session),
            blob,
            multipart: Arc::new(Multipart::new(path, id)),
            tags,
            pending: Pending::new(&store.room, tail),
            sent,
            in_flight: JoinSet::new(),
            hash: hash.map_or(Hash::Lost, Hash::Known),
            recorded,
            writer: UploadId::random(),
            recording: None,
            is_complete,
            has_failed: false,
            is_new: false,
        }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        self.sent + self.pending.len() as u64
    }

    pub(crate) async fn offset(&mut self) -> Result<u64, Error> {
        self.check("write")?;
        Ok(self.len())
    }

    pub(crate) fn become_blob(&mut self, digest: &Digest) -> Result<(), Error> {
        if self.blob.is_some_and(|blob| blob != *digest) {
            // Their place is decided, and nobody can move them.
            return Err(self.error(Kind::NotFound, "move"));
        }
        if self.tags.is_empty() && self.multipart.known_id().is_none() && self.blob.is_none() {
            self.blob = Some(*digest);
            let path = self.store.path(Key::Blob(digest));
            self.multipart = Arc::new(Multipart::new(path, None));
        }
        Ok(())
    }

    pub(crate) async fn hash_with(&mut self, algorithm: Algorithm) -> Result<(), Error> {
        if self.sent == 0 && self.in_flight.is_empty() {
            self.hash = Hash::Known(Digester::new(algorithm));
        }
        Ok(())
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.check("write")?;
        if self.is_complete {
            // The parts are an object by now, and nothing is added to one.
            return Err(self.error(Kind::NotFound, "append to"));
        }
        self.pending.push(bytes);
        while let Some(joined) = self.in_flight.try_join_next() {
            self.arrived(joined.ok())?;
        }
        loop {
            let size = self.part_size();
            if self.pending.len() < size.usual {
                break;
            }
            self.dispatch(size.usual).await?;
        }
        if self.store.room.is_full() {
            self.make_room().await?;
        }
        Ok(())
    }

    /// Has this upload take little memory.
    async fn make_room(&mut self) -> Result<(), Error> {
        if self.pending.len() >= self.part_size().least {
            self.dispatch(self.pending.len()).await?;
        }
        while self.store.room.is_full() && self.settle_one().await? {}
        Ok(())
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        self.settle_record().await?;
        self.check("write")?;
        if self.pending.len() >= self.part_size().least && !self.is_complete {
            self.dispatch(self.pending.len()).await?;
        }
        self.settle().await?;
        if self.tags.is_empty() && self.multipart.known_id().is_none() {
            // Nothing is at a blob's place yet, and the next request may want another one's.
            self.blob = None;
            let path = self.store.path(self.session.data());
            self.multipart = Arc::new(Multipart::new(path, None));
        }
        if self.recorded.map_or(0, |stamp| stamp.offset) == self.len() && !self.is_complete {
            return Ok(());
        }
        self.begin_record().await;
        self.settle_record().await
    }

    pub(crate) async fn digest(&mut self, algorithm: Algorithm) -> Result<Digest, Error> {
        self.check("hash")?;
        let digester = match self.digester().await.cloned() {
            Some(digester) if digester.algorithm() == algorithm => digester,
            _ if self.sent == 0 => Digester::new(algorithm),
            _ => self.read_again(algorithm).await?,
        };
        let pieces = self.pending.pieces();
        let hashed = spawn_blocking(move || hash(digester, &pieces).finish()).await;
        hashed.map_err(|_| self.error(Kind::Other, "hash"))
    }

    /// Sends what is left, and where the parts are not at their blob's place, makes an object of them.
    pub(crate) async fn sync(&mut self) -> Result<(), Error> {
        self.is_new = true;
        if self.tags.is_empty() {
            // One request stores it, when it is published.
            return Ok(());
        }
        self.send_rest().await?;
        if self.blob.is_none() { self.complete().await } else { Ok(()) }
    }

    pub(crate) async fn close(mut self) -> Result<u64, Error> {
        self.flush().await?;
        Ok(self.len())
    }

    /// Has the store put the parts together.
    pub(super) async fn complete(&mut self) -> Result<(), Error> {
        if self.is_complete {
            return Ok(());
        }
        self.send_rest().await?;
        let tags: Option<Vec<String>> = self.tags.iter().cloned().collect();
        let (Some(tags), Some(id)) = (tags, self.multipart.known_id()) else {
            return Err(self.error(Kind::Other, "complete"));
        };
        self.store.complete((&self.multipart.path, id), &tags, self.sent).await?;
        self.is_complete = true;
        Ok(())
    }

    /// Makes the last part of what is left, and waits for all of them.
    async fn send_rest(&mut self) -> Result<(), Error> {
        self.check("write")?;
        if self.pending.len() > 0 {
            self.dispatch(self.pending.len()).await?;
        }
        self.settle().await
    }

    /// Makes a part of the first bytes that wait, and has it leave and hashed.
    async fn dispatch(&mut self, bytes: usize) -> Result<(), Error> {
        while self.in_flight.len() >= IN_FLIGHT {
            self.settle_one().await?;
        }
        if self.tags.len() >= MOST_PARTS {
            return Err(self.error(Kind::TooLarge, "write"));
        }
        self.digester().await;
        // From here on nothing waits, so that nothing is lost where the caller goes away.
        let part = self.pending.take(bytes);
        self.sent += part.len() as u64;
        if let Hash::Known(digester) = std::mem::replace(&mut self.hash, Hash::Lost) {
            let part = part.clone();
            self.hash = Hash::Running(spawn_blocking(move || hash(digester, part.pieces())));
        }
        self.tags.push(None);
        let number = self.tags.len();
        self.store.sessions.forget(self.session.held.id);
        self.in_flight.spawn(self.sending(number, part));
        Ok(())
    }

    /// Sends a part, and before the first one says that there will be some.
    fn sending(
        &self,
        number: usize,
        part: Part,
    ) -> impl Future<Output = Result<(usize, String), Error>> + Send + 'static {
        let (store, multipart) = (Arc::clone(&self.store), Arc::clone(&self.multipart));
        let session = Arc::clone(&self.session);
        // What has a record is found by it, and what is at the session's own place is found there.
        let is_hidden = self.blob.is_some() && self.recorded.is_none();
        let record = is_hidden.then(|| self.record(Bytes::new(), Vec::new(), Algorithm::Sha256));
        async move {
            let begun = |id| async {
                let Some(record) = record else { return Ok(()) };
                let stamp = Stamp { offset: 0, ..record.stamp };
                let record = Record { multipart: Some(id), stamp, ..record };
                store.put(&store.path(session.tail()), record.to_bytes()).await
            };
            let id = multipart.begin(&store, begun).await?;
            let tag = store.send_part((&multipart.path, id), number, &part).await?;
            Ok((number, tag))
        }
    }

    /// Waits for one of the parts on their way; no if there is none.
    async fn settle_one(&mut self) -> Result<bool, Error> {
        match self.in_flight.join_next().await {
            Some(joined) => self.arrived(joined.ok()).map(|()| true),
            None => Ok(false),
        }
    }

    async fn settle(&mut self) -> Result<(), Error> {
        while self.settle_one().await? {}
        Ok(())
    }

    /// Waits for the parts on their way, whatever becomes of them: none comes after an abort.
    pub(super) async fn let_arrive(&mut self) {
        while self.in_flight.join_next().await.is_some() {}
    }

    fn arrived(&mut self, sent: Option<Result<(usize, String), Error>>) -> Result<(), Error> {
        match sent.unwrap_or_else(|| Err(self.error(Kind::Other, "write"))) {
            Ok((number, tag)) => {
                self.tags[number - 1] = Some(tag);
                Ok(())
            }
            Err(error) => {
                self.has_failed = true;
                Err(error)
            }
        }
    }

    /// The hash of the parts, once it is made.
    async fn digester(&mut self) -> Option<&Digester> {
        if let Hash::Running(running) = &mut self.hash {
            let hashed = running.await;
            self.hash = hashed.map_or(Hash::Lost, Hash::Known);
        }
        match &self.hash {
            Hash::Known(digester) => Some(digester),
            Hash::Running(_) | Hash::Lost => None,
        }
    }

    /// Makes an object of the session, which can be read, and hashes that.
    async fn read_again(&mut self, algorithm: Algorithm) -> Result<Digester, Error> {
        if self.blob.is_some() {
            // What is at the place of a blob and may be another one is not to be seen there.
            return Err(self.error(Kind::NotFound, "hash"));
        }
        self.complete().await?;
        let hashed = self.store.hash_object(&self.multipart.path, algorithm).await?;
        self.hash = Hash::Known(hashed.clone());
        Ok(hashed)
    }

    /// Begins to write down how far the session has got. All parts have arrived.
    async fn begin_record(&mut self) {
        let tags: Vec<String> = self.tags.iter().flatten().cloned().collect();
        let tail = self.pending.joined();
        let digester = self.digester().await.cloned();
        let algorithm = digester.as_ref().map_or(Algorithm::Sha256, Digester::algorithm);
        let record = self.record(tail, tags, algorithm);
        let (store, session) = (Arc::clone(&self.store), Arc::clone(&self.session));
        let expected = self.recorded;
        let state = digester.filter(|_| !record.parts.is_empty());
        // Once begun it is waited for, also where the caller goes away and comes back.
        self.recording = Some(tokio::spawn(async move {
            store.check_writer(&session, expected, record.stamp.writer).await?;
            store.write_record(&session, &record, state).await?;
            Ok(record.stamp)
        }));
    }

    async fn settle_record(&mut self) -> Result<(), Error> {
        let Some(recording) = &mut self.recording else { return Ok(()) };
        let joined = recording.await;
        self.recording = None;
        let stamp = joined.unwrap_or_else(|_| Err(self.error(Kind::Other, "write")))?;
        self.recorded = Some(stamp);
        Ok(())
    }

    fn record(&self, tail: Bytes, parts: Vec<String>, algorithm: Algorithm) -> Record {
        Record {
            stamp: Stamp { offset: self.len(), writer: self.writer },
            algorithm,
            blob: self.blob,
            multipart: self.multipart.known_id().map(str::to_owned),
            parts,
            is_complete: self.is_complete,
            tail,
        }
    }

    fn part_size(&self) -> PartSize {
        PartSize::after(self.tags.len(), self.store.part_bytes)
    }

    fn check(&self, operation: &'static str) -> Result<(), Error> {
        if self.has_failed { Err(self.error(Kind::Other, operation)) } else { Ok(()) }
    }

    pub(super) fn error(&self, kind: Kind, operation: &'static str) -> Error {
        self.store.error(kind, operation, &self.store.path(self.session.data()))
    }
}

impl Store {
    /// Whether nobody else has written to the session since it was opened.
    async fn check_writer(
        &self,
        session: &Session,
        expected: Option<Stamp>,
        writer: UploadId,
    ) -> Result<(), Error> {
        match self.stamp(session).await? {
            found if found == expected => Ok(()),
            Some(found) if found.writer == writer => Ok(()),
            _ => Err(self.error(Kind::Busy, "write", &self.path(session.data()))),
        }
    }

    async fn write_record(
        &self,
        session: &Session,
        record: &Record,
        state: Option<Digester>,
    ) -> Result<(), Error> {
        let id = session.held.id;
        if record.multipart.is_none() {
            self.sessions.leaves(id, Traces::Tail);
        } else {
            self.sessions.forget(id);
        }
        let hash = async {
            let Some(digester) = state else { return Ok(()) };
            self.put(&self.path(session.hash(&digester)), digester.save().into()).await
        };
        let tail = self.path(session.tail());
        tokio::try_join!(hash, self.put(&tail, record.to_bytes())).map(drop)
    }
}

fn hash(mut digester: Digester, pieces: &[Bytes]) -> Digester {
    for piece in pieces {
        digester.update(piece);
    }
    digester
}
