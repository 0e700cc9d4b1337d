//! Promises: what a client was told is there stays there for a while.
//!
//! A client that was told of a blob (200, 206, 304 or a redirect) leaves its upload out, and relies on
//! the blob when it pushes the manifest. A client that has read a manifest pulls what the manifest
//! refers to. So each answer leases its digest, and a collection that runs beside the registry keeps what
//! is leased, with all that a leased manifest refers to. What a tag pointed to before it was moved or
//! deleted is leased too: somebody may have read the tag the moment before.
//!
//! While a collection runs beside the registry no promise ends: what was made known after the collection had decided what is
//! garbage must be remembered until it has removed the last of it, however long that takes.
//!
//! A promise is made while the digest's lock is held, shared or not. Who deletes holds it alone, and asks
//! here after that: it sees every promise, or the promise sees that the blob is gone.
//!
//! Memory is bounded. Digests are kept as hashes with a key of this process, 32 bits within a shard, so two that
//! share one are leased for each other, which only keeps garbage. A set that is full leases everything.

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use oci::Digest;

/// Promises are made by all threads at once.
const SHARDS: usize = 64;

/// What a table of 4096 places holds before it grows. Per generation: 229,376 digests over all shards, in 1.3 MB.
const DIGESTS_PER_SHARD: usize = 3584;

/// The digests that were promised lately.
pub(super) struct Leases {
    /// How long a promise holds. It may hold up to twice as long.
    lease: Duration,
    opened: Instant,
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
}

/// What the leases amount to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Held {
    /// Digests that are leased.
    pub(crate) digests: usize,
    /// Whether there were too many, so that some part of all digests is leased as a whole.
    pub(crate) is_full: bool,
    /// Whether every promise that still holds was made by this process: it has been up for so long.
    pub(crate) is_complete: bool,
}

/// Two generations: what is in the older one was promised before the younger one began.
struct Shard {
    began: Instant,
    /// Whether no generation ends for now.
    is_kept: bool,
    young: HashSet<u32, Prehashed>,
    old: HashSet<u32, Prehashed>,
}

/// A hash is hashed by itself.
#[derive(Clone, Copy, Default)]
struct Prehashed(u64);

impl Leases {
    pub(super) fn new(lease: Duration) -> Self {
        let opened = Instant::now();
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(opened))).collect();
        Self { lease, opened, hasher: RandomState::new(), shards }
    }

    /// Leases a digest. The caller holds its lock.
    pub(super) fn promise(&self, digest: &Digest) {
        self.promise_at(digest, Instant::now());
    }

    /// Whether the digest may not be deleted. The caller holds its lock alone.
    pub(super) fn holds(&self, digest: &Digest) -> bool {
        self.holds_at(digest, Instant::now())
    }

    /// How long a promise holds, and how long this process has made promises.
    pub(super) fn ages(&self) -> (Duration, Duration) {
        (self.lease, self.opened.elapsed())
    }

    pub(super) fn held(&self) -> Held {
        let now = Instant::now();
        let is_complete = now.duration_since(self.opened) >= self.lease;
        let mut held = Held { digests: 0, is_full: false, is_complete };
        for index in 0..SHARDS {
            let shard = self.shard(index, now);
            held.digests += shard.young.union(&shard.old).count();
            held.is_full |= shard.is_full();
        }
        held
    }

    /// Has no promise end until [`Leases::let_go`].
    pub(super) fn keep(&self) {
        let now = Instant::now();
        (0..SHARDS).for_each(|index| self.shard(index, now).is_kept = true);
    }

    /// Has promises end again, none earlier than after a lease from when it was made.
    pub(super) fn let_go(&self) {
        self.let_go_at(Instant::now());
    }

    fn let_go_at(&self, now: Instant) {
        (0..SHARDS).for_each(|index| self.shard(index, now).let_go(now, self.lease));
    }

    fn promise_at(&self, digest: &Digest, now: Instant) {
        let (index, hash) = self.place(digest);
        let mut shard = self.shard(index, now);
        if shard.young.len() < DIGESTS_PER_SHARD {
            shard.young.insert(hash);
        }
    }

    fn holds_at(&self, digest: &Digest, now: Instant) -> bool {
        let (index, hash) = self.place(digest);
        let shard = self.shard(index, now);
        shard.is_full() || shard.young.contains(&hash) || shard.old.contains(&hash)
    }

    /// The shard of a digest, and its hash there.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is kept")]
    fn place(&self, digest: &Digest) -> (usize, u32) {
        let hash = self.hasher.hash_one(digest);
        (usize::try_from(hash >> 58).expect("six bits are a small number"), hash as u32)
    }

    /// A shard as it is now.
    fn shard(&self, index: usize, now: Instant) -> MutexGuard<'_, Shard> {
        let mut shard = self.shards[index].lock().unwrap_or_else(PoisonError::into_inner);
        shard.turn(now, self.lease);
        shard
    }
}

impl Shard {
    fn new(began: Instant) -> Self {
        Self { began, is_kept: false, young: HashSet::default(), old: HashSet::default() }
    }

    /// Begins a generation where the last one is as old as a lease.
    fn turn(&mut self, now: Instant, lease: Duration) {
        let age = now.saturating_duration_since(self.began);
        if self.is_kept || age < lease {
            return;
        }
        self.old = std::mem::take(&mut self.young);
        if age >= lease.saturating_mul(2) {
            self.old = HashSet::default();
        }
        self.began = now;
    }

    /// Ends the generation that should have ended meanwhile; what was promised in it may be from a moment ago.
    fn let_go(&mut self, now: Instant, lease: Duration) {
        self.is_kept = false;
        if now.saturating_duration_since(self.began) >= lease {
            self.old = std::mem::take(&mut self.young);
            self.began = now;
        }
    }

    fn is_full(&self) -> bool {
        self.young.len() >= DIGESTS_PER_SHARD || self.old.len() >= DIGESTS_PER_SHARD
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl BuildHasher for Prehashed {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self::default()
    }
}

impl std::hash::Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only whole hashes are kept here; a shorter text would be mixed as well as it is.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u32(&mut self, hash: u32) {
        // The table looks at both ends.
        self.0 = u64::from(hash) << 32 | u64::from(hash);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use oci::{Algorithm, Manifest, Reference, RepositoryName, Tag};

    use super::{
        super::{Condition, Content, Needs, Push},
        *,
    };
    use crate::config::Children;

    const HOUR: Duration = Duration::from_secs(3600);

    fn digest(number: usize) -> Digest {
        Digest::of(Algorithm::Sha256, number.to_string().as_bytes())
    }

    #[test]
    fn a_promise_holds_for_its_hour_and_ends_within_two() {
        let leases = Leases::new(HOUR);
        let start = leases.opened;
        let minutes = |count: u64| start + Duration::from_secs(60 * count);
        leases.promise_at(&digest(1), minutes(59));
        assert!(leases.holds_at(&digest(1), minutes(60)));
        assert!(leases.holds_at(&digest(1), minutes(119)));
        assert!(!leases.holds_at(&digest(1), minutes(121)));
        assert!(!leases.holds_at(&digest(2), minutes(59)));
    }

    #[test]
    fn a_promise_made_again_holds_again() {
        let leases = Leases::new(HOUR);
        for minute in (0..600).step_by(30) {
            leases.promise_at(&digest(1), leases.opened + Duration::from_secs(60 * minute));
        }
        assert!(leases.holds_at(&digest(1), leases.opened + Duration::from_secs(60 * 629)));
    }

    #[test]
    fn no_promise_ends_while_they_are_kept_and_each_holds_for_a_lease_after_it_was_made() {
        let leases = Leases::new(HOUR);
        let hours = |count: u32| leases.opened + count * HOUR;
        leases.promise_at(&digest(1), leases.opened);
        leases.keep();
        leases.promise_at(&digest(2), hours(1));
        leases.promise_at(&digest(3), hours(9));
        assert!([1, 2, 3].iter().all(|it| leases.holds_at(&digest(*it), hours(9))));
        leases.let_go_at(hours(9));
        let minute = Duration::from_secs(60);
        assert!(leases.holds_at(&digest(3), hours(10) - minute));
        assert!(![1, 2, 3].iter().any(|it| leases.holds_at(&digest(*it), hours(10) + minute)));
        // One that is over at once ends nothing and holds nothing up.
        leases.promise_at(&digest(4), hours(20));
        leases.keep();
        leases.let_go_at(hours(20) + minute);
        assert!(leases.holds_at(&digest(4), hours(21) - minute));
        assert!(!leases.holds_at(&digest(4), hours(22) + minute));
    }

    #[test]
    fn nothing_is_left_after_a_long_silence() {
        let leases = Leases::new(HOUR);
        leases.promise_at(&digest(1), leases.opened);
        assert!(!leases.holds_at(&digest(1), leases.opened + 2 * HOUR));
    }

    #[test]
    fn what_is_full_leases_everything_and_takes_no_more_memory() {
        let leases = Leases::new(HOUR);
        for number in 0..2 * SHARDS * DIGESTS_PER_SHARD {
            leases.promise_at(&digest(number), leases.opened);
        }
        assert!(
            (0..1000).all(|number| leases.holds_at(&digest(10_000_000 + number), leases.opened))
        );
        let held = leases.held();
        assert!(held.is_full);
        assert_eq!(held.digests, SHARDS * DIGESTS_PER_SHARD);
        let places = leases.shards.iter().map(|shard| shard.lock().unwrap().young.capacity());
        assert_eq!(places.max(), Some(DIGESTS_PER_SHARD));
    }

    #[test]
    fn promises_are_complete_once_the_process_is_as_old_as_a_lease() {
        assert!(!Leases::new(HOUR).held().is_complete);
        assert!(Leases::new(Duration::ZERO).held().is_complete);
    }

    /// An index that lists nothing, and its digest.
    fn index_of_nothing(comment: &str) -> (Manifest, Bytes, Digest) {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{{"c":"{comment}"}}}}"#
        );
        let bytes = Bytes::from(text);
        let manifest = Manifest::parse(None, &bytes).unwrap();
        (manifest, bytes.clone(), Digest::of(Algorithm::Sha256, &bytes))
    }

    fn push(tag: &Tag, manifest: Manifest, bytes: Bytes) -> Push {
        let needs = Needs { children: Children::All };
        let condition = Condition::default();
        Push { digest: None, tags: vec![tag.clone()], manifest, bytes, needs, condition }
    }

    /// A registry that has just been opened on what another one has stored.
    struct Reopened {
        content: Content,
        _folder: tempfile::TempDir,
        name: RepositoryName,
        tag: Tag,
        digest: Digest,
    }

    async fn reopened() -> Reopened {
        let folder = tempfile::tempdir().unwrap();
        let options =
            storage::FilesystemConfig { root_directory: folder.path().to_owned(), max_threads: 25 };
        let config = storage::Config::Filesystem(options);
        let (name, tag): (RepositoryName, Tag) = ("app".parse().unwrap(), "v1".parse().unwrap());
        let (manifest, bytes, digest) = index_of_nothing("one");
        let writing = Content::open(&config, HOUR, None, None).unwrap().begin_write().unwrap();
        writing.put_manifest(&name, push(&tag, manifest, bytes)).await.unwrap();
        assert!(writing.shared.leases.holds(&digest));
        drop(writing);
        let content = Content::open(&config, HOUR, None, None).unwrap();
        assert!(!content.shared.leases.holds(&digest));
        Reopened { content, _folder: folder, name, tag, digest }
    }

    #[tokio::test]
    async fn who_reads_a_manifest_leases_it() {
        let Reopened { content, name, tag, digest, .. } = &reopened().await;
        content.manifest(name, &Reference::Tag(tag.clone())).await.unwrap();
        assert!(content.shared.leases.holds(digest));
    }

    #[tokio::test]
    async fn a_tag_that_moves_or_goes_leases_what_it_pointed_to() {
        let Reopened { content, name, tag, digest, .. } = &reopened().await;
        let (manifest, bytes, moved) = index_of_nothing("two");
        let writing = content.begin_write().unwrap();
        writing.put_manifest(name, push(tag, manifest, bytes)).await.unwrap();
        assert!(content.shared.leases.holds(digest));
        assert!(content.shared.leases.holds(&moved));
        let Reopened { content, name, tag, digest, .. } = &reopened().await;
        content.begin_write().unwrap().delete_tag(name, tag, Condition::default()).await.unwrap();
        assert!(content.shared.leases.holds(digest));
        let Reopened { content, name, digest, .. } = &reopened().await;
        content.begin_write().unwrap().delete_manifest(name, digest).await.unwrap();
        assert!(content.shared.leases.holds(digest));
    }

    #[tokio::test]
    async fn a_push_and_a_delete_lease_what_the_manifest_refers_to() {
        let Reopened { content, name, tag, digest, _folder: folder } = &reopened().await;
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{digest}","size":120}}]}}"#
        );
        let bytes = Bytes::from(text);
        let manifest = Manifest::parse(None, &bytes).unwrap();
        let parent = Digest::of(Algorithm::Sha256, &bytes);
        let writing = content.begin_write().unwrap();
        writing.put_manifest(name, push(tag, manifest, bytes)).await.unwrap();
        assert!(content.shared.leases.holds(digest));

        let options =
            storage::FilesystemConfig { root_directory: folder.path().to_owned(), max_threads: 25 };
        let config = storage::Config::Filesystem(options);
        let content = Content::open(&config, HOUR, None, None).unwrap();
        assert!(!content.shared.leases.holds(digest));
        content.begin_write().unwrap().delete_manifest(name, &parent).await.unwrap();
        assert!(content.shared.leases.holds(digest));
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a link as upstream leaves it")]
    async fn a_push_that_refers_by_an_alias_leases_what_the_alias_names() {
        let folder = tempfile::tempdir().unwrap();
        let options =
            storage::FilesystemConfig { root_directory: folder.path().to_owned(), max_threads: 25 };
        let config = storage::Config::Filesystem(options);
        let name: RepositoryName = "app".parse().unwrap();
        let [own, alias] =
            [Algorithm::Sha256, Algorithm::Sha512].map(|algorithm| Digest::of(algorithm, b"{}"));
        let writing = Content::open(&config, HOUR, None, None).unwrap().begin_write().unwrap();
        writing.put_blob(&name, &own, Bytes::from_static(b"{}")).await.unwrap();
        let layers = "docker/registry/v2/repositories/app/_layers/sha512";
        let link = folder.path().join(layers).join(&*alias.to_hex());
        std::fs::create_dir_all(&link).unwrap();
        std::fs::write(link.join("link"), own.to_string()).unwrap();
        drop(writing);

        let content = Content::open(&config, HOUR, None, None).unwrap();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{alias}","size":2}},"layers":[]}}"#
        );
        let bytes = Bytes::from(text);
        let manifest = Manifest::parse(None, &bytes).unwrap();
        let pushed = push(&"v1".parse().unwrap(), manifest, bytes);
        content.begin_write().unwrap().put_manifest(&name, pushed).await.unwrap();
        assert!(content.shared.leases.holds(&alias));
        assert!(content.shared.leases.holds(&own));
    }

    #[tokio::test]
    async fn what_is_not_there_is_promised_to_nobody() {
        let Reopened { content, name, digest, .. } = &reopened().await;
        content.blob(name, digest).await.unwrap_err();
        assert_eq!(content.leases().digests, 0);
    }
}
