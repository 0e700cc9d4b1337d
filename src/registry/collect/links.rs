//! Reads the links whose content decides something: tags, manifests, aliases, and when uploads began.

use std::{slice::Chunks, str, time::SystemTime};

use bytes::Bytes;
use oci::{Algorithm, Digest};
use storage::{Bulk, Error, Item};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    begun::Begun,
    note::{Note, told},
    snapshot::{Link, Snapshot},
};

/// `sha512:` and 128 hex digits are 135 bytes; what is longer is no link.
const LINK_BYTES: usize = 160;
/// How much is asked for at once.
const BATCH: usize = 8192;

/// A link's content.
enum Content {
    Digest(Digest),
    /// A digest, and white space around it.
    Crooked(Digest),
    Absent,
    Unreadable(String),
}

/// Where a link belongs: repository, and place in one of its lists.
#[derive(Clone, Copy)]
enum At {
    Tag(usize, usize),
    Revision(usize, usize),
    Layer(usize, usize),
}

/// Reads the links of a snapshot, and does something else while the first of them are on their way.
///
/// Two batches are under way at a time, and no more in memory: a disk that waits for the first to be put in its places
/// before it is asked for the second loses a tenth of the time.
pub(crate) async fn read<S: Bulk>(
    store: &S,
    snapshot: &mut Snapshot,
    meanwhile: impl FnOnce(&mut Snapshot),
) -> Result<(), Error> {
    let places = places(snapshot);
    let mut rest = places.chunks(BATCH);
    let mut reading = begin(store, next(&mut rest, snapshot)).await;
    meanwhile(snapshot);
    while let Some((some, contents)) = reading {
        reading = begin(store, next(&mut rest, snapshot)).await;
        for (at, content) in some.iter().zip(contents.end().await?) {
            put(snapshot, *at, content);
        }
    }
    read_uploads(store, snapshot).await
}

/// The links to be read next.
fn next<'a>(rest: &mut Chunks<'a, At>, snapshot: &Snapshot) -> Option<(&'a [At], Vec<Item>)> {
    let some = rest.next()?;
    Some((some, some.iter().map(|at| item(snapshot, *at)).collect()))
}

/// Begins to read links.
async fn begin<'a, S: Bulk>(
    store: &'a S,
    some: Option<(&'a [At], Vec<Item>)>,
) -> Option<(&'a [At], Begun<impl Future<Output = Result<Vec<Content>, Error>> + use<'a, S>>)> {
    let (some, items) = some?;
    let contents = Begun::new(store.read(items, LINK_BYTES, |_, bytes| content(bytes))).await;
    Some((some, contents))
}

/// Links to blobs of sha256 hold the digest of their path.
fn places(snapshot: &Snapshot) -> Vec<At> {
    let mut places = Vec::new();
    for (number, repository) in snapshot.repositories.iter().enumerate() {
        places.extend((0..repository.tags.len()).map(|tag| At::Tag(number, tag)));
        let revisions = repository.revisions.iter().enumerate();
        // Of some the list has said it.
        let unread = revisions.filter(|(_, revision)| revision.link == Link::Unread);
        places.extend(unread.map(|(it, _)| At::Revision(number, it)));
        for (index, layer) in repository.layers.iter().enumerate() {
            if snapshot.digests.digest(*layer).algorithm() != Algorithm::Sha256 {
                places.push(At::Layer(number, index));
            }
        }
    }
    places
}

fn item(snapshot: &Snapshot, at: At) -> Item {
    let digest = |id| snapshot.digests.digest(id);
    match at {
        At::Tag(number, index) => {
            let repository = &snapshot.repositories[number];
            Item::Tag(repository.name.clone(), repository.tags[index].tag.clone())
        }
        At::Revision(number, index) => {
            let repository = &snapshot.repositories[number];
            Item::Revision(repository.name.clone(), digest(repository.revisions[index].id))
        }
        At::Layer(number, index) => {
            let repository = &snapshot.repositories[number];
            Item::Layer(repository.name.clone(), digest(repository.layers[index]))
        }
    }
}

fn content(bytes: Result<Bytes, Error>) -> Content {
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Content::Absent,
        Err(error) => return Content::Unreadable(told(&error)),
    };
    let text = str::from_utf8(&bytes).unwrap_or_default();
    match (text.parse(), text.trim().parse()) {
        (Ok(digest), _) => Content::Digest(digest),
        (Err(_), Ok(digest)) => Content::Crooked(digest),
        (Err(_), Err(_)) if bytes.is_empty() => Content::Unreadable("is empty".to_owned()),
        (Err(_), Err(_)) => Content::Unreadable("holds no digest".to_owned()),
    }
}

fn put(snapshot: &mut Snapshot, at: At, content: Content) {
    let link = match content {
        Content::Digest(digest) => Link::Holds(snapshot.digests.number(&digest)),
        Content::Crooked(digest) => {
            let path = item(snapshot, at).to_string();
            snapshot.notes.add(Note::Crooked { path });
            Link::Holds(snapshot.digests.number(&digest))
        }
        Content::Absent => Link::Absent,
        Content::Unreadable(reason) => {
            let path = item(snapshot, at).to_string();
            snapshot.notes.add(Note::Link { path, reason });
            Link::Unreadable
        }
    };
    let (At::Tag(number, _) | At::Revision(number, _) | At::Layer(number, _)) = at;
    let repository = &mut snapshot.repositories[number];
    repository.doubt |= link == Link::Unreadable;
    match at {
        At::Tag(_, index) => repository.tags[index].link = link,
        At::Revision(_, index) => repository.revisions[index].link = link,
        At::Layer(_, index) => {
            let own = repository.layers[index];
            match link {
                Link::Holds(target) if target != own => repository.aliases.push((own, target)),
                Link::Holds(_) | Link::Unread | Link::Absent | Link::Unreadable => {}
            }
        }
    }
}

async fn read_uploads<S: Bulk>(store: &S, snapshot: &mut Snapshot) -> Result<(), Error> {
    let busy = snapshot.repositories.iter_mut().filter(|it| !it.uploads.is_empty());
    for repository in busy {
        let items = repository.uploads.iter();
        let items = items.map(|it| Item::UploadStartedAt(repository.name.clone(), it.id)).collect();
        let started = store.read(items, LINK_BYTES, |_, bytes| started(bytes)).await?;
        for (upload, started) in repository.uploads.iter_mut().zip(started) {
            upload.started = started;
        }
    }
    Ok(())
}

fn started(bytes: Result<Bytes, Error>) -> Option<SystemTime> {
    let bytes = bytes.ok()?;
    let text = str::from_utf8(&bytes).ok()?;
    OffsetDateTime::parse(text.trim(), &Rfc3339).ok().map(SystemTime::from)
}
