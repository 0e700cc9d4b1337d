//! Brings a difference up to date by looking at what has changed since it was made: that takes as long as there are changes,
//! and not as long as there are objects.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::AtomicBool,
};

use oci::{RepositoryName, Tag};
use storage::{Bulk as _, Collected, Item};

use super::{
    Changes, Error, Side, Sides,
    difference::{Difference, Problem, link_bytes},
    go_on,
    inventory::{Content, LINK_BYTES, LISTED, Seen, State},
    kinds::Kinds,
    progress::{Phase, Progress},
};

/// As many objects are looked at at once.
const BATCH: usize = 1024;

/// More is not known better than by listing all.
const MOST: usize = 200_000;

/// What a side has of an object: its length, and what it holds if it is a link.
type Looked = Option<(u64, Option<Content>)>;

impl Difference {
    /// The objects to look at after these changes, so that all is known again; none if only a new difference can tell.
    #[must_use]
    pub(super) fn outdated(&self, changes: &Changes) -> Option<Vec<Item>> {
        // What is not known to be right now is not known afterwards either.
        let is_known = self.problems.is_empty() && self.other.blobs.objects == 0;
        if !is_known || self.extra.total().objects != self.extras.len() as u64 {
            return None;
        }
        let mut outdated: HashSet<Item> = changes.items.iter().cloned().collect();
        for state in [State::Missing, State::Differs] {
            self.each(state, |item, _| {
                if outdated.len() <= MOST {
                    outdated.insert(item.clone());
                }
            });
        }
        outdated.extend(self.extras.iter().map(|(item, _)| item.clone()));
        self.add_histories(&changes.items, &mut outdated);
        (outdated.len() <= MOST).then(|| outdated.into_iter().collect())
    }

    /// A tag goes with its history.
    fn add_histories(&self, changed: &[Item], outdated: &mut HashSet<Item>) {
        let mut tags: HashMap<&RepositoryName, HashSet<&Tag>> = HashMap::new();
        for item in changed {
            if let Item::Tag(name, tag) = item {
                tags.entry(name).or_default().insert(tag);
            }
        }
        for (name, tags) in tags {
            let number = self.inventory.numbers.get(name);
            let repository = number.map(|number| &self.inventory.repositories[*number]);
            for (tag, id) in repository.into_iter().flat_map(|it| it.history.keys()) {
                if tags.contains(tag) {
                    let digest = self.inventory.digests.digest(*id);
                    outdated.insert(Item::TagIndex(name.clone(), tag.clone(), digest));
                }
            }
        }
    }

    /// Forgets what is known of some objects, on both sides.
    fn forget(&mut self, outdated: &[Item]) {
        let extras: HashMap<Item, u64> = self.extras.drain(..).collect();
        for item in outdated {
            if let Some(size) = extras.get(item) {
                self.target.remove(item, *size);
                continue;
            }
            let Some((size, state)) = self.inventory.remove(item) else { continue };
            let size = size.unwrap_or_else(|| link_bytes(item));
            self.source.remove(item, size);
            if state != State::Missing {
                self.target.remove(item, size);
            }
        }
    }

    /// Takes in what both sides have of an object that was forgotten.
    fn learn(&mut self, item: &Item, source: Looked, target: Looked) {
        if let Some((size, _)) = target {
            self.target.add(item, size);
        }
        match (source, target) {
            (Some((size, content)), target) => {
                self.source.add(item, size);
                let seen = Seen { item: item.clone(), size, content, is_sure: true };
                let state = match target {
                    None => State::Missing,
                    Some(target) if target == (size, content) => State::Same,
                    Some(_) => State::Differs,
                };
                self.inventory.add_as(seen, state);
            }
            (None, Some((size, _))) => self.extras.push((item.clone(), size)),
            (None, None) => {}
        }
    }
}

impl Sides {
    /// Looks at objects again, and at folders that were made.
    pub(super) async fn look_again(
        &self,
        difference: &mut Difference,
        (outdated, parts): (&[Item], &Changes),
        stop: &AtomicBool,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), Error> {
        watch(Progress::Begun(Phase::Changed, Some((outdated.len() as u64, 0))));
        difference.problems.clear();
        difference.forget(outdated);
        for some in outdated.chunks(BATCH) {
            go_on(stop)?;
            let source = look(&self.source, some).await.map_err(Side::Source.failed())?;
            let target = look(&self.target, some).await.map_err(Side::Target.failed())?;
            for ((item, source), target) in some.iter().zip(source).zip(target) {
                match (source, target) {
                    (Ok(source), Ok(target)) => difference.learn(item, source, target),
                    (Err(error), _) | (_, Err(error)) if difference.problems.len() < LISTED => {
                        difference.problems.push(Problem::of(&error));
                    }
                    (Err(_), _) | (_, Err(_)) => {}
                }
            }
            watch(Progress::Advanced { objects: some.len() as u64, bytes: 0 });
        }
        for (name, part) in &parts.parts {
            difference.inventory.add_part(name, *part);
        }
        let mut extra = Kinds::default();
        difference.extras.iter().for_each(|(item, size)| extra.add(item, *size));
        difference.extra = extra;
        difference.count();
        Ok(())
    }
}

/// What a store has of some objects, in their order.
async fn look(
    store: &Collected,
    items: &[Item],
) -> Result<Vec<Result<Looked, storage::Error>>, storage::Error> {
    let is_blob = |item: &&Item| matches!(item, Item::Blob(_));
    let blobs: Vec<_> = items.iter().filter(is_blob).cloned().collect();
    let links: Vec<_> = items.iter().filter(|item| !is_blob(item)).cloned().collect();
    let content = |item: &Item, bytes: Result<bytes::Bytes, storage::Error>| {
        bytes.map(|bytes| (bytes.len() as u64, Some(Content::of(item, &bytes))))
    };
    let mut blobs = store.stat(blobs).await?.into_iter().map(|it| it.map(|it| (it.size, None)));
    let mut links = store.read(links, LINK_BYTES, content).await?.into_iter();
    let looked = items.iter().filter_map(|item| {
        let looked = if is_blob(&item) { blobs.next()? } else { links.next()? };
        Some(match looked {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        })
    });
    Ok(looked.collect())
}
