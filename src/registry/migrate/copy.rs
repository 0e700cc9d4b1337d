//! Makes a difference go: content first, then what leads to it.

use std::{collections::HashSet, sync::Arc, sync::atomic::AtomicBool};

use bytes::Bytes;
use oci::{Digest, RepositoryName, Tag};
use serde::Serialize;
use storage::{Bulk as _, Collected, Disposal, Folder, Item, Key, Kind, NotPut, Workplace};
use tokio::task::{JoinError, JoinSet};

use super::{
    Error, Extra, Journal, Options, Pace, Side, Sides,
    difference::{Difference, Problem, is_final},
    go_on,
    inventory::{Inventory, LINK_BYTES, State},
    kinds::Count,
    progress::{Phase, Progress},
};

/// As many objects are written down before they are put.
const BATCH: usize = 256;

/// After so many failures nothing more is tried.
const FAILURES: usize = 100;

/// What was done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Copied {
    /// Blobs that were put.
    pub blobs: Count,
    /// Links that were put.
    pub links: Count,
    /// Objects that were removed from the target, since the source has deleted them.
    pub removed: u64,
    /// Objects that the source has deleted since it was listed.
    pub vanished: u64,
    /// What was not copied, and why.
    pub problems: Vec<Problem>,
}

impl Copied {
    /// Whether the target is what it was.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        let Self { blobs, links, removed, vanished, problems } = self;
        blobs.objects + links.objects + removed + vanished == 0 && problems.is_empty()
    }
}

/// What became of one object.
enum Done {
    Put(u64),
    Vanished,
    Failed(Side, storage::Error),
}

/// A migration at work.
struct Work<'a> {
    sides: &'a Sides,
    journal: &'a mut Journal,
    options: Options,
    pace: Arc<Pace>,
    stop: &'a AtomicBool,
    watch: &'a mut (dyn FnMut(Progress) + Send),
    place: Workplace,
    copied: Copied,
}

impl Sides {
    /// Puts into the target what it lacks, or has otherwise, and removes what `options` say. Everything that is under way
    /// when it is told to stop is ended first.
    ///
    /// # Errors
    /// A side cannot be used any more; objects that alone fail stand in [`Copied::problems`].
    pub async fn copy(
        &self,
        difference: &Difference,
        journal: &mut Journal,
        options: Options,
        pace: &Arc<Pace>,
        stop: &AtomicBool,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Copied, Error> {
        let place = Workplace::random();
        let copied = Copied::default();
        let pace = Arc::clone(pace);
        let mut work = Work { sides: self, journal, options, pace, stop, watch, place, copied };
        let worked = work.all(difference).await;
        let cleared = self.target.clear(&work.place).await;
        worked?;
        cleared.map_err(Side::Target.failed())?;
        Ok(work.copied)
    }
}

impl Work<'_> {
    async fn all(&mut self, difference: &Difference) -> Result<(), Error> {
        self.remove(difference).await?;
        let Inventory { digests, blobs, repositories, .. } = &difference.inventory;
        let wanted = blobs.iter().filter(|(_, (_, state))| *state != State::Same);
        let wanted: Vec<_> =
            wanted.map(|(id, (size, state))| (digests.digest(*id), *size, *state)).collect();
        let bytes = wanted.iter().map(|(_, size, _)| size).sum();
        (self.watch)(Progress::Begun(Phase::Blobs, Some((wanted.len() as u64, bytes))));
        for some in wanted.chunks(BATCH) {
            self.blobs(some).await?;
        }
        let mut count = 0;
        for repository in repositories {
            count += repository.contents(digests).filter(|(_, it)| it.state != State::Same).count();
            count +=
                repository.histories(digests).filter(|(_, it)| it.state != State::Same).count();
            count += repository.tags().filter(|(_, it)| it.state != State::Same).count();
        }
        (self.watch)(Progress::Begun(Phase::Tags, Some((count as u64, 0))));
        let contents = repositories.iter().flat_map(|it| it.contents(digests));
        self.links(contents.filter(|(_, link)| link.state != State::Same).map(|it| it.0)).await?;
        let histories = repositories.iter().flat_map(|it| it.histories(digests));
        self.links(histories.filter(|(_, link)| link.state != State::Same).map(|it| it.0)).await?;
        let tags = repositories.iter().flat_map(super::inventory::Repository::tags);
        self.links(tags.filter(|(_, link)| link.state != State::Same).map(|it| it.0)).await?;
        for repository in repositories {
            for part in repository.empty() {
                let kept = self.sides.target.keep_folder(&repository.name, part).await;
                kept.map_err(Side::Target.failed())?;
            }
        }
        Ok(())
    }

    /// Removes what only the target has: what leads to content first.
    async fn remove(&mut self, difference: &Difference) -> Result<(), Error> {
        let extras: Vec<&Item> = difference.extras.iter().map(|(item, _)| item).collect();
        let known = match self.options.extra {
            Extra::All => None,
            Extra::Own => {
                Some(self.journal.known(extras.iter().map(ToString::to_string).collect())?)
            }
        };
        let goes = |item: &&Item| known.as_ref().is_none_or(|it| it.contains(&item.to_string()));
        let (going, staying): (Vec<&Item>, Vec<&Item>) = extras.into_iter().partition(goes);
        let going = whole(difference, &going, &staying);
        (self.watch)(Progress::Begun(Phase::Removing, Some((going.len() as u64, 0))));
        for some in going.chunks(BATCH) {
            go_on(self.stop)?;
            let removed = self.sides.target.remove(some.to_vec(), Disposal::Delete).await;
            for (item, removed) in some.iter().zip(removed.map_err(Side::Target.failed())?) {
                match (item, removed) {
                    (_, Ok(_)) => self.copied.removed += 1,
                    // Other repositories are in its folder.
                    (Item::Repository(_), Err(error)) if error.kind() == Kind::Busy => {}
                    (_, Err(error)) => self.failed(error, Side::Target)?,
                }
            }
            (self.watch)(Progress::Advanced { objects: some.len() as u64, bytes: 0 });
        }
        self.sides.target.sync().await.map_err(Side::Target.failed())
    }

    async fn blobs(&mut self, blobs: &[(Digest, u64, State)]) -> Result<(), Error> {
        go_on(self.stop)?;
        let paths: Vec<String> =
            blobs.iter().map(|(digest, ..)| Item::Blob(*digest).to_string()).collect();
        self.journal.intend(paths.iter().map(String::as_str))?;
        // What has other bytes under the same name would be kept if it had the same length.
        let damaged = blobs.iter().filter(|(.., state)| *state == State::Differs);
        let damaged: Vec<_> = damaged.map(|(digest, ..)| Item::Blob(*digest)).collect();
        if !damaged.is_empty() {
            let removed = self.sides.target.remove(damaged, Disposal::Delete).await;
            removed.map_err(Side::Target.failed())?;
        }
        let mut working = JoinSet::new();
        let mut blobs = blobs.iter();
        loop {
            while working.len() < self.options.at_once.get()
                && go_on(self.stop).is_ok()
                && let Some((digest, ..)) = blobs.next()
            {
                let (Sides { source, target }, digest) = (self.sides.clone(), *digest);
                let (place, pace) = (self.place.clone(), Arc::clone(&self.pace));
                working.spawn(async move { blob(&source, &target, &digest, &place, &pace).await });
            }
            let Some(joined) = working.join_next().await else { return go_on(self.stop) };
            let bytes = self.done(joined)?;
            if let Some(bytes) = bytes {
                self.copied.blobs.objects += 1;
                self.copied.blobs.bytes += bytes;
            }
            (self.watch)(Progress::Advanced { objects: 1, bytes: bytes.unwrap_or(0) });
        }
    }

    async fn links(&mut self, links: impl Iterator<Item = Item>) -> Result<(), Error> {
        let mut some = Vec::with_capacity(BATCH);
        for item in links {
            some.push(item);
            if some.len() == BATCH {
                self.batch(&some).await?;
                some.clear();
            }
        }
        if some.is_empty() { Ok(()) } else { self.batch(&some).await }
    }

    async fn batch(&mut self, links: &[Item]) -> Result<(), Error> {
        go_on(self.stop)?;
        let paths: Vec<String> = links.iter().map(ToString::to_string).collect();
        self.journal.intend(paths.iter().map(String::as_str))?;
        let read = self.sides.source.read(links.to_vec(), LINK_BYTES, |_, bytes| bytes).await;
        let mut read = links.iter().zip(read.map_err(Side::Source.failed())?);
        let mut working = JoinSet::new();
        loop {
            while working.len() < self.options.at_once.get()
                && let Some((item, bytes)) = read.next()
            {
                let (target, item) = (self.sides.target.clone(), item.clone());
                working.spawn(async move { link(&target, &item, bytes).await });
            }
            let Some(joined) = working.join_next().await else { return Ok(()) };
            if let Some(bytes) = self.done(joined)? {
                self.copied.links.objects += 1;
                self.copied.links.bytes += bytes;
            }
            (self.watch)(Progress::Advanced { objects: 1, bytes: 0 });
        }
    }

    /// What became of an object: its bytes, if it was put.
    fn done(&mut self, joined: Result<Done, JoinError>) -> Result<Option<u64>, Error> {
        match joined {
            Ok(Done::Put(bytes)) => Ok(Some(bytes)),
            Ok(Done::Vanished) => {
                self.copied.vanished += 1;
                Ok(None)
            }
            Ok(Done::Failed(side, error)) => self.failed(error, side).map(|()| None),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Error::Stopped),
        }
    }

    fn failed(&mut self, error: storage::Error, side: Side) -> Result<(), Error> {
        if is_final(&error) || self.copied.problems.len() >= FAILURES {
            return Err(side.failed()(error));
        }
        self.copied.problems.push(Problem::of(&error));
        Ok(())
    }
}

/// What goes, in order: instead of the history of a tag that the source has not the tag, and after all that a repository has
/// that the source has not, its folders. Nothing that stays is in them, as far as all that stays is known.
fn whole(difference: &Difference, going: &[&Item], staying: &[&Item]) -> Vec<Item> {
    let source = &difference.inventory;
    let kept: HashSet<_> = staying.iter().filter_map(|item| tag(item)).collect();
    let used: HashSet<_> = staying.iter().filter_map(|item| repository(item)).collect();
    let mut going: Vec<Item> = going
        .iter()
        .map(|item| match tag(item) {
            Some((name, tag))
                if !source.has_tag(name, tag)
                    && !kept.contains(&(name, tag))
                    && difference.is_alone(&Folder::Tag(name, tag)) =>
            {
                Item::Tag(name.clone(), tag.clone())
            }
            _ => (*item).clone(),
        })
        .collect();
    let gone = going.iter().filter_map(repository);
    let gone = gone.filter(|name| !source.numbers.contains_key(*name) && !used.contains(name));
    let gone = gone.filter(|name| difference.is_alone(&Folder::Repository(name)));
    let gone: HashSet<RepositoryName> = gone.cloned().collect();
    going.extend(gone.into_iter().map(Item::Repository));
    going.sort_by_cached_key(|item| {
        let rank = match item {
            Item::Tag(..) => 0,
            Item::TagIndex(..) => 1,
            Item::Revision(..) => 2,
            Item::Layer(..) => 3,
            Item::Repository(_) => 4,
            Item::Blob(_) | Item::UploadStartedAt(..) => 5,
        };
        (rank, item.to_string())
    });
    going.dedup();
    going
}

fn tag(item: &Item) -> Option<(&RepositoryName, &Tag)> {
    match item {
        Item::Tag(name, tag) | Item::TagIndex(name, tag, _) => Some((name, tag)),
        _ => None,
    }
}

fn repository(item: &Item) -> Option<&RepositoryName> {
    match item {
        Item::Tag(name, _)
        | Item::TagIndex(name, ..)
        | Item::Revision(name, _)
        | Item::Layer(name, _)
        | Item::UploadStartedAt(name, _)
        | Item::Repository(name) => Some(name),
        Item::Blob(_) => None,
    }
}

async fn blob(
    source: &Collected,
    target: &Collected,
    digest: &Digest,
    place: &Workplace,
    pace: &Pace,
) -> Done {
    let object = match source.open(Key::Blob(digest)).await {
        Ok(object) => object,
        Err(error) if error.is_not_found() => return Done::Vanished,
        Err(error) => return Done::Failed(Side::Source, error),
    };
    match target.put_blob(digest, (&object, place), |bytes| pace.take(bytes)).await {
        Ok(()) => Done::Put(object.size()),
        Err(NotPut::Unread(error)) => Done::Failed(Side::Source, error),
        Err(NotPut::Unwritten(error)) => Done::Failed(Side::Target, error),
    }
}

async fn link(target: &Collected, item: &Item, bytes: Result<Bytes, storage::Error>) -> Done {
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Done::Vanished,
        Err(error) => return Done::Failed(Side::Source, error),
    };
    let Some(key) = item.key() else { return Done::Vanished };
    let size = bytes.len() as u64;
    match target.put(key, bytes).await {
        Ok(()) => Done::Put(size),
        Err(error) => Done::Failed(Side::Target, error),
    }
}
