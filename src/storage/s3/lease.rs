//! Who uses the bucket: every process that serves or changes it keeps an object in `docker/registry/v2/regctl/leases`.
//!
//! Each writes its lease first and looks at those of others then. So of two that must keep away from each other at least
//! one sees the other, and yields; nothing is needed of a store but that what was written is listed, which each sees of its
//! own lease. A lease is written again every [`RENEWED`], and one that is [`DEAD`] old is that of a dead process: by the
//! store's clock, which has written the age of both. A process that could not renew its own for [`VALID`] writes
//! nothing any more until it has taken a new one; what it has sent by then has the time until [`DEAD`] to arrive.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    boxed,
    gate::{Barred, State},
    holder::{Holder, LEASE_BYTES, Using},
    store::{Store, time_of},
};
use crate::{Error, Kind, Tenure, UploadId, Wish};

const FOLDER: &str = "docker/registry/v2/regctl/leases";

/// How often a lease is written again.
const RENEWED: Duration = Duration::from_secs(15);

/// How soon it is tried again to get one.
const RETRIED: Duration = Duration::from_secs(2);

/// How long one try may take.
const TRIED: Duration = Duration::from_secs(20);

/// How long who has a lease relies on it.
const VALID: Duration = Duration::from_secs(60);

/// After how long others no longer believe in it.
pub(super) const DEAD: Duration = Duration::from_secs(150);

/// After how long a request that was not answered is no longer carried out, and nothing arrives any more of a process that
/// is gone from this machine: its last request may have left just before, and a store carries out what it has received.
pub(super) const LATE: Duration = Duration::from_secs(45);

/// After how long what is left of it is swept.
const SWEPT: Duration = Duration::from_secs(24 * 3600);

/// How long a collection waits for registries to be read-only that were told to.
const SWITCHING: Duration = Duration::from_secs(30);

/// How often it is looked whether they are.
const SWITCHED: Duration = Duration::from_millis(500);

/// Pages of leases: more than anybody has processes.
const PAGES: usize = 20;

/// The leases that a store's own process keeps there: none of them is another's.
#[derive(Debug, Default)]
pub(super) struct Own(Mutex<Vec<UploadId>>);

impl Own {
    fn lock(&self) -> MutexGuard<'_, Vec<UploadId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, id: UploadId) {
        let mut ids = self.lock();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }

    fn remove(&self, id: UploadId) {
        self.lock().retain(|known| *known != id);
    }

    fn ids(&self) -> Vec<UploadId> {
        self.lock().clone()
    }
}

/// The lease of another process.
#[derive(Debug)]
struct Other {
    path: String,
    age: Duration,
}

impl Store {
    /// Fails while somebody has the bucket who may rely on nothing being written.
    pub(super) async fn may_write(&self, operation: &'static str, path: &str) -> Result<(), Error> {
        self.gate.pass().await.map_err(|barred| {
            Error::answered(Kind::Unavailable, operation, self.named(path), barred)
        })
    }

    /// The time in which this process has the bucket, as soon as that has begun.
    pub(super) async fn tenure(&self) -> Result<Tenure, Error> {
        self.may_write("write to", self.prefix.trim_end_matches('/')).await?;
        Ok(self.gate.tenure())
    }

    /// Fails where what has just been written may have come too late.
    pub(super) fn confirm(&self, tenure: Tenure) -> Result<(), Error> {
        if self.gate.lasts(tenure) {
            return Ok(());
        }
        let place = self.named(self.prefix.trim_end_matches('/'));
        Err(Error::answered(Kind::Unavailable, "write to", place, Barred::Lost))
    }

    fn lease_path(&self, id: UploadId) -> String {
        self.path(format_args!("{FOLDER}/{id}"))
    }

    async fn write_lease(&self, id: UploadId, holder: &Holder) -> Result<(), Error> {
        self.own.add(id);
        let path = self.lease_path(id);
        match timeout(TRIED, self.put_free(&path, holder.to_bytes().into())).await {
            Ok(written) => written,
            Err(_) => Err(self.error(Kind::Unavailable, "lease", &path)),
        }
    }

    /// Removes a lease; what is left of it ends by its age.
    async fn drop_lease(&self, id: UploadId) {
        self.remove_lease(id).await;
        // Until it is gone it is this process's.
        self.own.remove(id);
    }

    async fn remove_lease(&self, id: UploadId) {
        let path = self.lease_path(id);
        let folder = self.path(FOLDER);
        let paths = self.with_folders(&folder, vec![path]);
        for path in paths {
            // Nobody can do anything about it.
            let _ = timeout(TRIED, self.delete_free(&path)).await;
        }
    }

    /// Who has a lease to whom one that was just written has to yield; none if nobody does.
    pub(super) async fn in_the_way(
        &self,
        id: UploadId,
        using: Using,
    ) -> Result<Option<Holder>, Error> {
        for other in self.others(id).await? {
            if other.age >= SWEPT {
                // It would be looked at for ever.
                let _ = self.delete_free(&other.path).await;
            }
            if other.age >= DEAD {
                continue;
            }
            let holder = match self.get(&other.path, LEASE_BYTES).await {
                Ok(bytes) => Holder::parse(&bytes).unwrap_or_else(Holder::unknown),
                Err(error) if error.is_not_found() => continue,
                Err(error) if error.kind() == Kind::TooLarge => Holder::unknown(),
                Err(error) => return Err(error),
            };
            // What it has sent may still delete what a client is told of; who tells nobody anything need not wait.
            let may_be_late = using == Using::Writes && holder.using.deletes() && other.age < LATE;
            if using.yields_to(holder.using) && (may_be_late || !holder.is_gone()) {
                return Ok(Some(holder));
            }
        }
        Ok(None)
    }

    /// Whether another process may use the bucket beside this one, which serves it: there is a lease that is not this one's and not
    /// too old to be believed in, by the age of the newest, or this one has none.
    pub(super) async fn is_used_by_others(&self) -> Result<bool, Error> {
        // Which are its own may change meanwhile.
        let before = self.own.ids();
        let (found, are_all) = self.listed_leases().await?;
        let own: Vec<_> =
            before.into_iter().chain(self.own.ids()).map(|id| self.lease_path(id)).collect();
        let newest = found.iter().map(|(_, modified)| *modified).max();
        let is_alive = |modified: SystemTime| {
            let age = newest.and_then(|newest| newest.duration_since(modified).ok());
            age.unwrap_or_default() < DEAD
        };
        let (ours, others): (Vec<_>, Vec<_>) =
            found.iter().partition(|(path, _)| own.contains(path));
        let is_another = others.iter().any(|(_, modified)| is_alive(*modified));
        Ok(is_another || ours.is_empty() || !are_all)
    }

    /// The leases of others, and how old they were when this one was written.
    async fn others(&self, id: UploadId) -> Result<Vec<Other>, Error> {
        let ours = self.lease_path(id);
        let (mut found, are_all) = self.listed_leases().await?;
        let written = found.iter().position(|(path, _)| *path == ours);
        let written = written.map(|at| found.swap_remove(at).1);
        let unlisted =
            || Error::answered(Kind::Denied, "lease", self.named(&ours), Barred::Unlisted);
        let written = written.filter(|_| are_all).ok_or_else(unlisted)?;
        let age = |modified| written.duration_since(modified).unwrap_or_default();
        let own: Vec<String> = self.own.ids().into_iter().map(|id| self.lease_path(id)).collect();
        let others = found.into_iter().filter(|(path, _)| !own.contains(path));
        Ok(others.map(|(path, modified)| Other { age: age(modified), path }).collect())
    }

    /// All leases with their times, and whether that is all of them.
    async fn listed_leases(&self) -> Result<(Vec<(String, SystemTime)>, bool), Error> {
        let folder = self.path(FOLDER);
        let mut next = None;
        let mut found: Vec<(String, SystemTime)> = Vec::new();
        for _ in 0..PAGES {
            let request = self.client.list_objects_v2().bucket(&self.bucket);
            let request = request.prefix(format!("{folder}/")).set_continuation_token(next.take());
            let sent = request.send().await;
            let page = sent.map_err(|error| self.failed("list", &folder, &error))?;
            next = self.next_page(&folder, &page)?;
            for object in page.contents.unwrap_or_default() {
                let modified = time_of(object.last_modified);
                match object.key {
                    Some(path) if !path.ends_with('/') => found.push((path, modified)),
                    Some(_) | None => {}
                }
            }
            if next.is_none() {
                break;
            }
        }
        Ok((found, next.is_none()))
    }

    /// A delete was not answered.
    pub(super) fn doubts(&self) {
        let until = Some(Instant::now() + LATE);
        *self.unanswered.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// For how long a delete that was not answered may still be carried out; none where all were.
    pub(super) fn doubt(&self) -> Option<Duration> {
        let until = *self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    fn busy(&self, holder: Holder) -> Error {
        let place = self.named(self.prefix.trim_end_matches('/'));
        Error::answered(Kind::Busy, "lease", place, Barred::Others(Arc::new(holder)))
    }
}

/// The lease of a registry that serves.
#[derive(Debug)]
struct Serving<'a> {
    store: &'a Store,
    /// A new one for each way to use the bucket: what is late of an old one says nothing of it.
    id: UploadId,
    /// The one before, while it may be there.
    before: Option<UploadId>,
    holder: Holder,
    /// Until when it is relied on; none while it does not let this process write.
    until: Option<Instant>,
}

impl Serving<'_> {
    /// Writes the lease once more, and looks at others where they may have come meanwhile.
    async fn renew(&mut self, using: Using) -> Result<(), Error> {
        if self.holder.using != using {
            self.store.gate.set(State::Waiting);
            self.until = None;
            self.before = Some(mem::replace(&mut self.id, UploadId::random()));
            self.holder.using = using;
        }
        let asked = Instant::now();
        self.store.write_lease(self.id, &self.holder).await?;
        if let Some(before) = self.before.take() {
            self.store.drop_lease(before).await;
        }
        if using != Using::Writes {
            return Ok(());
        }
        if self.until.is_none_or(|until| until <= Instant::now()) {
            self.until = None;
            if let Some(holder) = self.store.in_the_way(self.id, using).await? {
                let busy = self.store.busy(holder.clone());
                // Who has the bucket must not wait for this one.
                self.store.drop_lease(self.id).await;
                self.id = UploadId::random();
                self.store.gate.set(State::Closed(Arc::new(holder)));
                return Err(busy);
            }
            self.store.gate.begin_tenure();
        }
        let until = asked + VALID;
        self.until = Some(until);
        self.store.gate.set(State::Until(until));
        Ok(())
    }

    async fn leave(self) {
        // Nothing is begun any more of which others could not know.
        self.store.gate.set(State::Waiting);
        for id in [self.before, Some(self.id)].into_iter().flatten() {
            self.store.drop_lease(id).await;
        }
    }
}

/// Keeps a lease for a registry that serves, until it wishes to leave.
pub(super) async fn serve(
    store: &Store,
    mut wish: watch::Receiver<Wish>,
    tell: impl Fn(Result<(), &Error>) + Send,
) {
    let holder = Holder::this(Using::Writes);
    let mut serving = Serving { store, id: UploadId::random(), before: None, holder, until: None };
    loop {
        let wished = *wish.borrow_and_update();
        let using = match wished {
            Wish::Write => Using::Writes,
            Wish::Read => Using::Reads,
            Wish::Leave => return serving.leave().await,
        };
        let renewed = serving.renew(using).await;
        tell(renewed.as_ref().copied());
        let pause = if renewed.is_ok() { RENEWED } else { RETRIED };
        tokio::select! {
            () = sleep(pause) => {}
            changed = wish.changed() => if changed.is_err() {
                return serving.leave().await;
            }
        }
    }
}

/// The bucket, claimed by a process that changes it while nobody writes. Dropped, it is given back, if there is time.
#[derive(Debug)]
pub(crate) struct Claim {
    leave: watch::Sender<bool>,
    is_over: watch::Receiver<bool>,
}

impl Claim {
    /// Claims the bucket.
    ///
    /// # Errors
    /// [`Kind::Busy`] while somebody uses it in a way that this excludes.
    pub(super) async fn take(store: &Arc<Store>, using: Using) -> Result<Self, Error> {
        let claimed = Claimed { store: Arc::clone(store), id: UploadId::random(), using };
        let until = match claimed.alone().await {
            Ok(until) => until,
            Err(error) => {
                store.drop_lease(claimed.id).await;
                return Err(error);
            }
        };
        store.gate.set(State::Until(until));
        let (leave, left) = watch::channel(false);
        let (over, is_over) = watch::channel(false);
        tokio::spawn(boxed(async move {
            claimed.keep(until, left).await;
            // Where a delete was not answered, nobody else may rely on what is there.
            while let Some(left) = claimed.store.doubt().filter(|_| using == Using::Sweeps) {
                sleep(left).await;
            }
            claimed.store.drop_lease(claimed.id).await;
            over.send_replace(true);
        }));
        Ok(Self { leave, is_over })
    }

    /// Gives it back now.
    pub(super) async fn release(&self) {
        self.leave.send_replace(true);
        // It ends by its age where it cannot be given back.
        let _ = timeout(TRIED, self.is_over.clone().wait_for(|over| *over)).await;
    }
}

#[derive(Debug)]
struct Claimed {
    store: Arc<Store>,
    id: UploadId,
    using: Using,
}

impl Claimed {
    /// Waits until nobody is in the way, where that can be; returns how long the claim is good for.
    async fn alone(&self) -> Result<Instant, Error> {
        let deadline = Instant::now() + SWITCHING;
        loop {
            let asked = Instant::now();
            self.store.write_lease(self.id, &Holder::this(self.using)).await?;
            let Some(other) = self.store.in_the_way(self.id, self.using).await? else {
                return Ok(asked + VALID);
            };
            // A registry that was told to is read-only in a moment.
            let may_change = self.using == Using::Collects && other.using == Using::Writes;
            if !may_change || Instant::now() >= deadline {
                return Err(self.store.busy(other));
            }
            sleep(SWITCHED).await;
        }
    }

    /// Renews the claim. One that could not be renewed in time is lost for good: others have taken its owner for dead.
    async fn keep(&self, mut until: Instant, mut left: watch::Receiver<bool>) {
        let (holder, mut pause) = (Holder::this(self.using), RENEWED);
        loop {
            tokio::select! {
                () = sleep(pause) => {}
                // Given back, or dropped.
                _ = left.changed() => break,
            }
            let asked = Instant::now();
            let renewed = self.store.write_lease(self.id, &holder).await;
            if Instant::now() >= until {
                break;
            }
            pause = RETRIED;
            if renewed.is_ok() {
                until = asked + VALID;
                pause = RENEWED;
                self.store.gate.set(State::Until(until));
            }
        }
        self.store.gate.set(State::Waiting);
    }
}
