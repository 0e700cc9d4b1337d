//! Looks at findings once more: while a store was read, somebody may have pushed and deleted.

use std::collections::{BTreeSet, HashMap};

use storage::{Bulk as _, Collected, Folder, Item, Part};

use super::{
    Error, Pace, Report, Stop,
    finding::{Finding, Holds, Sign},
    inventory::{Held, hold},
    progress::{Phase, Progress},
};

/// How much is asked for at once.
const BATCH: usize = 4096;

/// What is found the second time, by paths.
#[derive(Default)]
struct Now {
    links: HashMap<String, Held>,
    /// Whether blobs are there.
    blobs: HashMap<String, bool>,
    /// Whether blobs are not what their names say.
    corrupt: HashMap<String, bool>,
}

/// Leaves out what is not so any more.
pub(super) async fn look(
    store: &Collected,
    report: &mut Report,
    (pace, stop): (&Pace, Stop<'_>),
    watch: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Error> {
    let count = report.findings().count() as u64;
    if count == 0 {
        return Ok(());
    }
    watch(Progress::Begun(Phase::Again, Some((count, 0))));
    let now = Now::read(store, report, (pace, stop)).await?;
    for repository in &mut report.repositories {
        let mut left = Vec::with_capacity(repository.findings.len());
        for finding in std::mem::take(&mut repository.findings) {
            stop.check()?;
            if is_so(store, &now, &finding).await? {
                left.push(finding);
            }
            watch(Progress::Advanced { objects: 1, bytes: 0 });
        }
        repository.findings = left;
        let blamed: BTreeSet<&String> =
            repository.findings.iter().flat_map(|finding| &finding.tags).collect();
        repository.broken_tags = blamed.into_iter().cloned().collect();
    }
    Ok(())
}

async fn is_so(store: &Collected, now: &Now, finding: &Finding) -> Result<bool, Error> {
    for sign in &finding.signs {
        let is_so = match sign {
            Sign::Link(item, holds) => {
                now.links.get(&item.to_string()).is_some_and(|held| holds.is(held))
            }
            Sign::Blob(digest, there) => {
                now.blobs.get(&Item::Blob(*digest).to_string()) == Some(there)
            }
            Sign::Corrupt(digest) => {
                now.corrupt.get(&Item::Blob(*digest).to_string()) == Some(&true)
            }
            Sign::Tag(name, tag) => store.has_folder(Folder::Tag(name, tag)).await?,
            Sign::NoFolder(name, part) => {
                let folder = match part {
                    Part::Layers => Folder::Layers(name),
                    Part::Manifests => Folder::Manifests(name),
                    Part::Tags => Folder::Tags(name),
                };
                !store.has_folder(folder).await?
            }
        };
        if !is_so {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Now {
    async fn read(
        store: &Collected,
        report: &Report,
        (pace, stop): (&Pace, Stop<'_>),
    ) -> Result<Self, Error> {
        let mut now = Self::default();
        let (mut links, mut blobs) = (HashMap::new(), HashMap::new());
        let mut corrupt = HashMap::new();
        for sign in report.findings().flat_map(|finding| &finding.signs) {
            match sign {
                Sign::Link(item, _) => drop(links.insert(item.to_string(), item.clone())),
                Sign::Blob(digest, _) => {
                    let item = Item::Blob(*digest);
                    blobs.insert(item.to_string(), item);
                }
                Sign::Corrupt(digest) => {
                    corrupt.insert(Item::Blob(*digest).to_string(), *digest);
                }
                Sign::Tag(..) | Sign::NoFolder(..) => {}
            }
        }
        let links: Vec<Item> = links.into_values().collect();
        for some in links.chunks(BATCH) {
            stop.check()?;
            let held = hold(store, some.to_vec()).await?;
            now.links.extend(some.iter().map(ToString::to_string).zip(held));
        }
        let blobs: Vec<Item> = blobs.into_values().collect();
        for some in blobs.chunks(BATCH) {
            stop.check()?;
            for (item, stat) in some.iter().zip(store.stat(some.to_vec()).await?) {
                match stat {
                    Ok(_) => drop(now.blobs.insert(item.to_string(), true)),
                    Err(error) if error.is_not_found() => {
                        now.blobs.insert(item.to_string(), false);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        for (path, digest) in corrupt {
            stop.check()?;
            let hashed = store.hash(&digest, |bytes| pace.take(bytes)).await;
            now.corrupt.insert(path, hashed.is_ok_and(|hashed| hashed != digest));
        }
        Ok(now)
    }
}

impl Holds {
    fn is(self, held: &Held) -> bool {
        match (self, held) {
            (Self::Digest(digest), Held::Digest(held)) => digest == *held,
            (Self::Anything, Held::Digest(_))
            | (Self::Gone | Self::NoDigest, Held::Absent)
            | (Self::Nothing | Self::NoDigest | Self::Anything, Held::Bad(_))
            | (Self::Unread, Held::Unread(_)) => true,
            _ => false,
        }
    }
}
