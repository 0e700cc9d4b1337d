//! Lists a bucket flat: a thousand names a request.
//!
//! Most stores are a few pages. Where a page is not all, the folders of what is left are asked for once, and groups of
//! them are listed side by side. Stores do not agree on the order of names (some have `a/` before `a-b/`, as a tree has,
//! others after it, as bytes have), so nothing here compares names: a group begins with the list of its first folder, goes
//! on after the last name found there, and ends with the first name that is another group's. A folder that was not seen
//! on the way is listed by itself.

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    sync::Arc,
};

use aws_sdk_s3::types::Object;
use tokio::task::JoinSet;

use super::{
    boxed,
    store::Store,
    teller::{Teller, child_of, children_of},
};
use crate::{
    Error, Kind,
    survey::{Page, Place, Sink},
};

const TOP: &str = "docker/registry/v2/";

/// Lists that are asked for at once.
const AT_ONCE: usize = 16;
/// A shard is worth its own first page when it is as many pages long.
const PAGES_OF_SHARD: usize = 4;

/// A part of the bucket that is listed in one go.
#[derive(Debug)]
struct Range {
    place: Place,
    /// All names begin with it; it ends with a slash.
    folder: String,
    /// Where it begins; none: at the beginning of the folder.
    after: Option<String>,
    /// Which of the folder's children it is, in the order of the store; none: all of them.
    group: Option<Vec<String>>,
    teller: Teller,
    /// Whether the rest may be divided, and what was listed of the folder until then.
    may_be_divided: bool,
    listed: Vec<String>,
}

/// One page of names.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) paths: Vec<String>,
    /// What else the store says of each.
    marks: Vec<Mark>,
    pub(super) is_all: bool,
}

/// What the store says of an object beside its name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Mark {
    pub(super) size: u64,
    pub(super) tag: Option<[u8; 16]>,
}

/// How much is told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Detail {
    /// What stands there, and of blobs and manifests also their size and tag.
    #[default]
    Content,
    /// Each object, with its size and its tag.
    Objects,
}

/// Surveys a bucket in a task of its own.
pub(super) fn spawn(store: Arc<Store>, sink: Sink, detail: Detail) {
    tokio::spawn(async move { run(&store, &sink, detail).await });
}

async fn run(store: &Arc<Store>, sink: &Sink, detail: Detail) {
    let waiting = match begin(store, sink, detail).await {
        Ok(waiting) => waiting,
        Err(error) => return sink.break_off(error).await,
    };
    let mut waiting = VecDeque::from(waiting);
    let mut working = JoinSet::new();
    loop {
        while working.len() < AT_ONCE
            && let Some(range) = waiting.pop_front()
        {
            let (store, sink) = (Arc::clone(store), sink.clone());
            working.spawn(boxed_range(store, sink, range));
        }
        match working.join_next().await {
            None => return sink.finish().await,
            Some(Ok(Some(more))) => waiting.extend(more),
            // Nobody wants the rest. A survey without an end is an error.
            Some(Ok(None) | Err(_)) => return,
        }
    }
}

/// What stands beside blobs and repositories, and these two.
async fn begin(store: &Store, sink: &Sink, detail: Detail) -> Result<Vec<Range>, Error> {
    let top = store.path(TOP);
    let folders = store.children_folders(&top).await?;
    let folders = folders.ok_or_else(|| store.error(Kind::Truncated, "list", TOP))?;
    let mut ranges = Vec::new();
    for folder in folders {
        let place = match folder.strip_prefix(&top) {
            Some("blobs/") => Place::Blobs,
            Some("repositories/") => Place::Repositories,
            Some("regctl/" | "regctl-trash/") => continue,
            _ => {
                sink.send(Page::Stranger(folder.trim_end_matches('/').to_owned())).await;
                continue;
            }
        };
        ranges.push(Range::of(place, folder, detail));
    }
    Ok(ranges)
}

async fn boxed_range(store: Arc<Store>, sink: Sink, range: Range) -> Option<Vec<Range>> {
    boxed(async move { list(&store, &sink, range).await }).await
}

/// Lists a range; returns what of it is left for others. None: nobody wants any more.
async fn list(store: &Store, sink: &Sink, mut range: Range) -> Option<Vec<Range>> {
    let listed = match range.group.take() {
        Some(group) => list_group(store, sink, &mut range, group).await,
        None => list_folder(store, sink, &mut range).await,
    };
    match listed {
        Ok(more) => more,
        // What could not be seen may be there, and need anything.
        Err(error) => {
            let place = range.place.clone();
            sink.send(Page::Hidden { place, error }).await.then(Vec::new)
        }
    }
}

type Listed = Result<Option<Vec<Range>>, Error>;

async fn list_folder(store: &Store, sink: &Sink, range: &mut Range) -> Listed {
    loop {
        let names = store.names(&range.folder, range.after.as_deref()).await?;
        for (path, mark) in names.all() {
            range.tell(store, path, mark);
        }
        if !range.told(sink).await {
            return Ok(None);
        }
        if names.is_all {
            return Ok(Some(Vec::new()));
        }
        range.after = names.paths.last().cloned();
        if range.may_be_divided && is_divided(store, &range.folder) {
            range.listed.extend(names.paths);
            if let Some(ranges) = divide(store, range).await? {
                return Ok(Some(ranges));
            }
            range.may_be_divided = false;
            range.listed = Vec::new();
        }
    }
}

async fn list_group(store: &Store, sink: &Sink, range: &mut Range, group: Vec<String>) -> Listed {
    let mut unseen: BTreeSet<&str> = group.iter().map(String::as_str).collect();
    if let Some(first) = group.first() {
        if !list_whole(store, sink, range, first).await? {
            return Ok(None);
        }
        unseen.remove(first.as_str());
    }
    let mut is_over = range.after.is_none();
    while !is_over {
        let names = store.names(&range.folder, range.after.as_deref()).await?;
        is_over = names.is_all;
        for (path, mark) in names.all() {
            let child = child_of(path, &range.folder);
            if child.is_some_and(|child| !group.iter().any(|it| it == child)) {
                is_over = true;
                break;
            }
            child.map(|child| unseen.remove(child));
            range.tell(store, path, mark);
        }
        range.after = names.paths.last().cloned();
        if !range.told(sink).await {
            return Ok(None);
        }
    }
    for folder in unseen {
        if !list_whole(store, sink, range, folder).await? {
            return Ok(None);
        }
    }
    Ok(Some(Vec::new()))
}

/// Lists one folder to its end. No: nobody wants any more.
async fn list_whole(
    store: &Store,
    sink: &Sink,
    range: &mut Range,
    folder: &str,
) -> Result<bool, Error> {
    range.after = None;
    loop {
        let names = store.names(folder, range.after.as_deref()).await?;
        for (path, mark) in names.all() {
            range.tell(store, path, mark);
        }
        if let Some(last) = names.paths.last() {
            range.after = Some(last.clone());
        }
        if !range.told(sink).await {
            return Ok(false);
        }
        if names.is_all {
            return Ok(true);
        }
    }
}

/// Divides what is left of a folder after its first page: none where that is not worth it.
async fn divide(store: &Store, range: &mut Range) -> Result<Option<Vec<Range>>, Error> {
    loop {
        let Some(current) = range.current().map(str::to_owned) else { return Ok(None) };
        let Some(children) = store.children_folders(&range.folder).await? else { return Ok(None) };
        let seen = children_of(&range.listed, &range.folder);
        let left: Vec<String> =
            children.into_iter().filter(|child| !seen.contains(child)).collect();
        let mut ranges = groups(range, &left, seen.len());
        range.folder = current;
        if left.is_empty() && is_divided(store, &range.folder) {
            // Everything that is left is in one folder.
            continue;
        }
        let folder = range.folder.clone();
        ranges.push(mem::replace(range, Range::of(Place::Blobs, folder, Detail::Content)));
        return Ok(Some(ranges));
    }
}

/// Groups of the folders that are left, after a page on which so many were seen.
fn groups(range: &Range, left: &[String], seen: usize) -> Vec<Range> {
    let shards = match seen {
        0..=2 => AT_ONCE,
        _ => (left.len() / seen / PAGES_OF_SHARD).clamp(1, AT_ONCE),
    };
    let chunks = left.chunks(left.len().div_ceil(shards).max(1));
    chunks
        .map(|chunk| match chunk {
            // It may be divided in its turn.
            [alone] => Range::of(range.place.clone(), alone.clone(), range.teller.detail),
            _ => {
                let (place, folder) = (range.place.clone(), range.folder.clone());
                let all = Range::of(place, folder, range.teller.detail);
                Range { group: Some(chunk.to_vec()), ..all }
            }
        })
        .collect()
}

/// Whether the children of a folder are many and of different names: blobs by their first digits, repositories.
fn is_divided(store: &Store, folder: &str) -> bool {
    let top = store.path(TOP);
    let Some(below) = folder.strip_prefix(&top) else { return false };
    let parts: Vec<&str> = below.trim_end_matches('/').split('/').collect();
    match parts.as_slice() {
        ["blobs", rest @ ..] => rest.len() < 2,
        ["repositories", rest @ ..] => rest.iter().all(|part| !part.starts_with('_')),
        _ => false,
    }
}

impl Names {
    fn all(&self) -> impl Iterator<Item = (&String, Mark)> {
        self.paths.iter().zip(self.marks.iter().copied())
    }
}

impl Mark {
    fn of(object: &Object) -> Self {
        let tag = object.e_tag().and_then(|tag| {
            // With a number behind it, it is that of an object that was put together of parts.
            let hex = tag.trim_matches('"');
            let number = (hex.len() == 32).then(|| u128::from_str_radix(hex, 16).ok())??;
            Some(number.to_be_bytes())
        });
        Self { size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0), tag }
    }
}

impl Range {
    fn of(place: Place, folder: String, detail: Detail) -> Self {
        let (teller, listed) = (Teller::telling(detail), Vec::new());
        Self { place, folder, after: None, group: None, teller, may_be_divided: true, listed }
    }

    /// The child of the folder in which the list has got so far.
    fn current(&self) -> Option<&str> {
        child_of(self.after.as_deref()?, &self.folder)
    }

    fn tell(&mut self, store: &Store, path: &str, mark: Mark) {
        let top = store.prefix.len() + TOP.len();
        if let Some(name) = path.get(top..) {
            self.teller.tell(name, path, mark);
        }
    }

    async fn told(&mut self, sink: &Sink) -> bool {
        for page in self.teller.pages() {
            if !sink.send(page).await {
                return false;
            }
        }
        true
    }
}

impl Store {
    /// A page of the names in a folder, which ends with a slash.
    pub(super) async fn names(&self, folder: &str, after: Option<&str>) -> Result<Names, Error> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(folder);
        let sent = request.set_start_after(after.map(str::to_owned)).send().await;
        let answer = sent.map_err(|error| self.failed("list", folder, &error))?;
        let is_all = !answer.is_truncated().unwrap_or(false);
        let objects = answer.contents.unwrap_or_default();
        let objects = objects.into_iter().filter_map(|it| Some((Mark::of(&it), it.key?)));
        let (marks, paths): (Vec<_>, Vec<_>) = objects.unzip();
        let gets_on = paths.last().is_some_and(|last| Some(last.as_str()) != after);
        // A list that does not go on would never end, and one that ends early is none.
        match is_all || gets_on {
            true => Ok(Names { paths, marks, is_all }),
            false => Err(self.error(Kind::Truncated, "list", folder)),
        }
    }

    /// The folders in a folder, each with its slash; none where they are more than a page.
    async fn children_folders(&self, folder: &str) -> Result<Option<Vec<String>>, Error> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(folder);
        let sent = request.delimiter("/").send().await;
        let answer = sent.map_err(|error| self.failed("list", folder, &error))?;
        if answer.is_truncated().unwrap_or(false) {
            return Ok(None);
        }
        let folders = answer.common_prefixes.unwrap_or_default();
        Ok(Some(folders.into_iter().filter_map(|folder| folder.prefix).collect()))
    }
}
