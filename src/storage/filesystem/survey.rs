//! Lists a folder by its layout: names are digests, so nothing is opened but folders, and none of the
//! hundred thousand that hold one file each.
//!
//! A few threads take folders from one stack. Symbolic links are not followed, and told as hidden places:
//! what stands behind them may be needed.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    str::FromStr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use oci::{Algorithm, Digest, RepositoryName, Tag};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, statat},
    io::Errno,
};

use super::store::Store;
use crate::{
    Error, Folder, UploadId,
    survey::{Found, Page, Part, Place, Sink},
};

const TOP: &str = "docker/registry/v2";
const BLOBS: &str = "docker/registry/v2/blobs";
pub(super) const REPOSITORIES: &str = "docker/registry/v2/repositories";

/// How much is told at once.
const PAGE: usize = 1024;
/// How many tags' histories one thread takes at once.
const TAGS: usize = 256;
/// Some hundred names.
const BUFFER_BYTES: usize = 64 * 1024;
/// No repository is deeper, and no stranger is followed further.
const DEPTH: usize = 128;

/// A folder to be listed.
#[derive(Debug)]
enum Task {
    /// What stands beside `blobs` and `repositories`.
    Top,
    /// `blobs/<algorithm>`, for its shards.
    Algorithm(Algorithm),
    /// `blobs/<algorithm>/<two digits>`.
    Shard(Algorithm, String),
    /// A folder of repositories, or one, by its path.
    Namespace(String),
    Layers(RepositoryName, Algorithm),
    Revisions(RepositoryName, Algorithm),
    Tags(RepositoryName),
    /// The histories of some tags.
    Histories(RepositoryName, Vec<Tag>),
    Uploads(RepositoryName),
}

/// What is left to do, for all threads.
#[derive(Debug)]
struct Work {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    waiting: Vec<Task>,
    busy: usize,
    /// Nobody wants the rest.
    stopped: bool,
}

/// Lists everything on `threads` threads, and says when it is all.
pub(super) fn run(store: &Store, sink: &Sink, threads: usize) {
    let waiting = vec![Task::Namespace(REPOSITORIES.to_owned()), Task::Top];
    let state = State { waiting, busy: 0, stopped: false };
    let work = Work { state: Mutex::new(state), changed: Condvar::new() };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| work_off(store, sink, &work));
        }
        work_off(store, sink, &work);
    });
    if !work.lock().stopped {
        sink.end();
    }
}

fn work_off(store: &Store, sink: &Sink, work: &Work) {
    let buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
    let mut lister = Lister { store, sink, work, wanted: true, buffer };
    while let Some(task) = work.next() {
        lister.list(task);
        work.done(lister.wanted);
    }
}

impl Work {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(task) = state.waiting.pop() {
                state.busy += 1;
                return Some(task);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn add(&self, task: Task) {
        self.lock().waiting.push(task);
        self.changed.notify_one();
    }

    fn done(&self, wanted: bool) {
        let mut state = self.lock();
        state.busy -= 1;
        state.stopped |= !wanted;
        drop(state);
        self.changed.notify_all();
    }
}

/// An entry of a folder; links are not followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Is {
    Folder,
    Link,
    Other,
}

struct Lister<'a> {
    store: &'a Store,
    sink: &'a Sink,
    work: &'a Work,
    /// Whether somebody takes the pages.
    wanted: bool,
    /// What the kernel writes names to.
    buffer: Vec<MaybeUninit<u8>>,
}

impl Lister<'_> {
    fn list(&mut self, task: Task) {
        match task {
            Task::Top => self.top(),
            Task::Algorithm(algorithm) => self.algorithm(algorithm),
            Task::Shard(algorithm, shard) => self.shard(algorithm, &shard),
            Task::Namespace(path) => self.namespace(&path),
            Task::Layers(name, algorithm) => {
                let folder = Folder::LayersOf(&name, algorithm).to_string();
                self.digests(&name, algorithm, &folder, Found::Layer);
            }
            Task::Revisions(name, algorithm) => {
                let folder = Folder::RevisionsOf(&name, algorithm).to_string();
                self.digests(&name, algorithm, &folder, Found::Revision);
            }
            Task::Tags(name) => self.tags(name),
            Task::Histories(name, tags) => self.histories(&name, &tags),
            Task::Uploads(name) => self.uploads(&name),
        }
    }

    fn top(&mut self) {
        let place = Place::Repositories;
        let mut seen = Vec::new();
        let listed = self.entries(TOP, &place, |name, is| seen.push((name.to_owned(), is)));
        for (name, is) in seen.into_iter().take_while(|_| listed) {
            let path = format!("{TOP}/{name}");
            match (name.as_str(), is) {
                ("blobs", Is::Folder) => self.blobs(),
                ("regctl" | "regctl-trash", Is::Folder) => {}
                // Whoever lists repositories tells of a link.
                ("repositories", Is::Folder | Is::Link) => {}
                ("blobs", Is::Link) => self.link(Place::Blobs, &path),
                _ => self.put(Page::Stranger(path)),
            }
        }
    }

    fn blobs(&mut self) {
        let mut others = Vec::new();
        let work = self.work;
        self.entries(BLOBS, &Place::Blobs, |name, is| match (Algorithm::from_str(name), is) {
            (Ok(algorithm), Is::Folder) => work.add(Task::Algorithm(algorithm)),
            (_, is) => others.push((format!("{BLOBS}/{name}"), is)),
        });
        self.others(others, &Place::Blobs);
    }

    fn algorithm(&mut self, algorithm: Algorithm) {
        let folder = format!("{BLOBS}/{algorithm}");
        let mut others = Vec::new();
        let work = self.work;
        self.entries(&folder, &Place::Blobs, |name, is| match is {
            Is::Folder if is_shard(name) => work.add(Task::Shard(algorithm, name.to_owned())),
            is => others.push((format!("{folder}/{name}"), is)),
        });
        self.others(others, &Place::Blobs);
    }

    fn shard(&mut self, algorithm: Algorithm, shard: &str) {
        let folder = format!("{BLOBS}/{algorithm}/{shard}");
        let mut digests = Vec::new();
        let mut others = Vec::new();
        self.entries(&folder, &Place::Blobs, |name, is| match digest(algorithm, name) {
            Some(digest) if is == Is::Folder && name.starts_with(shard) => digests.push(digest),
            _ => others.push((format!("{folder}/{name}"), is)),
        });
        for page in digests.chunks(PAGE) {
            self.put(Page::Blobs(page.to_vec()));
        }
        self.others(others, &Place::Blobs);
    }

    /// A folder below `repositories`: other repositories, and perhaps the parts of one.
    fn namespace(&mut self, path: &str) {
        let name = path.strip_prefix(REPOSITORIES).unwrap_or_default().trim_start_matches('/');
        let is_top = name.is_empty();
        if name.split('/').count() > DEPTH {
            let error = Error::io("list", path, Errno::NAMETOOLONG.into());
            return self.put(Page::Hidden { place: Place::Repositories, error });
        }
        let name = RepositoryName::from_str(name).ok();
        let mut seen = Vec::new();
        let listed =
            self.entries(path, &Place::Repositories, |child, is| seen.push((child.to_owned(), is)));
        if !listed {
            return;
        }
        for (child, is) in seen {
            let path = format!("{path}/{child}");
            let is_part = matches!(child.as_str(), "_layers" | "_manifests" | "_uploads");
            match (&name, is) {
                (Some(name), is) if is_part => self.part(name, &child, is),
                (None, Is::Folder) if is_part && !is_top => self.nameless(&path),
                (_, Is::Folder) if !child.starts_with('_') => {
                    self.work.add(Task::Namespace(path));
                }
                (_, Is::Link) => self.link(Place::Repositories, &path),
                (_, Is::Folder | Is::Other) => self.put(Page::Stranger(path)),
            }
        }
    }

    /// The content of a repository whose name no registry takes: whoever uses it, it may be needed.
    fn nameless(&mut self, path: &str) {
        let cause = io::Error::other("it belongs to a repository whose name no registry takes");
        let error = Error::io("collect", path, cause);
        self.put(Page::Hidden { place: Place::Repositories, error });
    }

    /// One of the three folders of a repository.
    fn part(&mut self, name: &RepositoryName, part: &str, is: Is) {
        let folder = format!("{}/{part}", Folder::Repository(name));
        let place = match part {
            "_uploads" => Place::Uploads(name.clone()),
            _ => Place::Content(name.clone()),
        };
        match (is, part) {
            (Is::Link, _) => self.link(place, &folder),
            (Is::Other, _) => self.put(Page::Stranger(folder)),
            (Is::Folder, "_uploads") => self.work.add(Task::Uploads(name.clone())),
            (Is::Folder, "_layers") => {
                self.found(name, vec![Found::Part(Part::Layers)]);
                self.algorithms(name, &folder, Task::Layers);
            }
            (Is::Folder, _) => self.manifests(name, &folder),
        }
    }

    fn manifests(&mut self, name: &RepositoryName, folder: &str) {
        self.found(name, vec![Found::Part(Part::Manifests)]);
        let place = Place::Content(name.clone());
        let mut seen = Vec::new();
        self.entries(folder, &place, |child, is| seen.push((child.to_owned(), is)));
        for (child, is) in seen {
            let path = format!("{folder}/{child}");
            match (child.as_str(), is) {
                ("revisions", Is::Folder) => self.algorithms(name, &path, Task::Revisions),
                ("tags", Is::Folder) => {
                    self.found(name, vec![Found::Part(Part::Tags)]);
                    self.work.add(Task::Tags(name.clone()));
                }
                ("tags", Is::Link) => self.link(Place::Tags(name.clone()), &path),
                (_, Is::Link) => self.link(place.clone(), &path),
                (_, Is::Folder | Is::Other) => self.put(Page::Stranger(path)),
            }
        }
    }

    /// `<folder>/<algorithm>`, each a task.
    fn algorithms(
        &mut self,
        name: &RepositoryName,
        folder: &str,
        task: fn(RepositoryName, Algorithm) -> Task,
    ) {
        let place = Place::Content(name.clone());
        let mut others = Vec::new();
        let work = self.work;
        self.entries(folder, &place, |child, is| match (Algorithm::from_str(child), is) {
            (Ok(algorithm), Is::Folder) => work.add(task(name.clone(), algorithm)),
            (_, is) => others.push((format!("{folder}/{child}"), is)),
        });
        self.others(others, &place);
    }

    fn digests(
        &mut self,
        name: &RepositoryName,
        algorithm: Algorithm,
        folder: &str,
        make: fn(Digest) -> Found,
    ) {
        let place = Place::Content(name.clone());
        let (mut found, mut others) = (Vec::new(), Vec::new());
        self.entries(folder, &place, |child, is| match (digest(algorithm, child), is) {
            (Some(digest), Is::Folder) => found.push(make(digest)),
            (_, is) => others.push((format!("{folder}/{child}"), is)),
        });
        self.found(name, found);
        self.others(others, &place);
    }

    fn tags(&mut self, name: RepositoryName) {
        let folder = Folder::Tags(&name).to_string();
        let place = Place::Tags(name.clone());
        let (mut tags, mut others) = (Vec::new(), Vec::new());
        self.entries(&folder, &place, |child, is| match (Tag::from_str(child), is) {
            (Ok(tag), Is::Folder) => tags.push(tag),
            (_, is) => others.push((format!("{folder}/{child}"), is)),
        });
        self.others(others, &place);
        for some in tags.chunks(TAGS) {
            self.found(&name, some.iter().cloned().map(Found::Tag).collect());
            self.work.add(Task::Histories(name.clone(), some.to_vec()));
        }
    }

    fn histories(&mut self, name: &RepositoryName, tags: &[Tag]) {
        let place = Place::Tags(name.clone());
        let (mut found, mut others) = (Vec::new(), Vec::new());
        let above = Folder::Tags(name).to_string();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let open = match openat(&self.store.root, &above, flags, Mode::empty()) {
            Ok(open) => open,
            Err(error) => {
                self.is_listed(Err(error), &above, &place);
                return;
            }
        };
        for (tag, algorithm) in tags.iter().flat_map(|tag| Algorithm::ALL.map(|it| (tag, it))) {
            let folder = format!("{tag}/index/{algorithm}");
            let listed = entries(&open, &folder, &mut self.buffer, |child, is| {
                match (digest(algorithm, child), is) {
                    (Some(digest), Is::Folder) => found.push(Found::TagIndex(tag.clone(), digest)),
                    (_, is) => others.push((format!("{above}/{folder}/{child}"), is)),
                }
            });
            self.is_listed(listed, &format!("{above}/{folder}"), &place);
        }
        self.found(name, found);
        self.others(others, &place);
    }

    fn uploads(&mut self, name: &RepositoryName) {
        let folder = Folder::Uploads(name).to_string();
        let place = Place::Uploads(name.clone());
        let (mut found, mut others) = (Vec::new(), Vec::new());
        self.entries(&folder, &place, |child, is| match (UploadId::from_str(child), is) {
            (Ok(id), Is::Folder) => found.push(Found::Upload(id)),
            (_, is) => others.push((format!("{folder}/{child}"), is)),
        });
        self.found(name, found);
        self.others(others, &place);
    }

    /// Lists a folder; one that is not there is empty. No: it could not be listed, which is told.
    fn entries(&mut self, folder: &str, place: &Place, each: impl FnMut(&str, Is)) -> bool {
        let listed = entries(&self.store.root, folder, &mut self.buffer, each);
        self.is_listed(listed, folder, place)
    }

    /// What became of a listing.
    fn is_listed(&mut self, listed: Result<(), Errno>, folder: &str, place: &Place) -> bool {
        let Err(error) = listed else { return true };
        if error == Errno::NOENT {
            return true;
        }
        let error = Error::io("list", folder, error.into());
        self.put(Page::Hidden { place: place.clone(), error });
        false
    }

    fn found(&mut self, name: &RepositoryName, found: Vec<Found>) {
        let mut rest = found;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(PAGE));
            self.put(Page::Repository { name: name.clone(), found: rest });
            rest = later;
        }
    }

    /// What is none of a folder's usual children.
    fn others(&mut self, others: Vec<(String, Is)>, place: &Place) {
        for (path, is) in others {
            match is {
                Is::Link => self.link(place.clone(), &path),
                Is::Folder | Is::Other => self.put(Page::Stranger(path)),
            }
        }
    }

    fn link(&mut self, place: Place, path: &str) {
        let cause = io::Error::other("it is a symbolic link, and none is followed");
        self.put(Page::Hidden { place, error: Error::io("list", path, cause) });
    }

    fn put(&mut self, page: Page) {
        self.wanted = self.wanted && self.sink.page(page);
    }
}

/// Lists a folder; a name that is no text is told with replacements, and is nobody's.
fn entries(
    above: &OwnedFd,
    folder: &str,
    buffer: &mut [MaybeUninit<u8>],
    mut each: impl FnMut(&str, Is),
) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let folder = openat(above, folder, flags, Mode::empty())?;
    let mut all = RawDir::new(&folder, buffer);
    while let Some(entry) = all.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let is = match entry.file_type() {
            FileType::Unknown => match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => is(FileType::from_raw_mode(stat.st_mode)),
                // Gone since.
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error),
            },
            kind => is(kind),
        };
        each(&name.to_string_lossy(), is);
    }
    Ok(())
}

fn is(kind: FileType) -> Is {
    match kind {
        FileType::Directory => Is::Folder,
        FileType::Symlink => Is::Link,
        _ => Is::Other,
    }
}

fn is_shard(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn digest(algorithm: Algorithm, hex: &str) -> Option<Digest> {
    Digest::from_hex(algorithm, hex).ok()
}

/// Surveys a store on threads of its own.
pub(super) fn spawn(store: Arc<Store>, sink: Sink, threads: usize) {
    let at_work = sink.clone();
    let beginning = thread::Builder::new().name("survey".to_owned());
    if let Err(error) = beginning.spawn(move || run(&store, &at_work, threads)) {
        sink.fail(Error::io("list", TOP, error));
    }
}
