//! Reads blobs, and says which are not what their names say.

use std::{collections::HashMap, panic, sync::Arc, time::Duration};

use storage::Collected;
use tokio::{task::JoinSet, time::timeout};

use super::{
    BadBlobs, Error, Options, Pace, Report, State, Stop,
    decide::Bad,
    inventory::Inventory,
    manifests::{Manifest, Manifests},
    progress::{Phase, Progress},
};
use crate::{
    digests::{DigestId, DigestSet},
    log::told,
};

/// How often it is looked whether to go on.
const PATIENCE: Duration = Duration::from_millis(200);

/// Reads the blobs that are to be read; manifests have been.
pub(super) async fn read(
    store: &Collected,
    (inventory, manifests): (&Inventory, &Manifests),
    state: &mut State,
    (options, pace, stop): (&Options, &Arc<Pace>, Stop<'_>),
    report: &mut Report,
    watch: &mut (dyn FnMut(Progress) + Send),
) -> Result<BadBlobs, Error> {
    let wanted = wanted((inventory, manifests), state, report)?;
    let bytes = wanted.iter().map(|(_, size)| size).sum();
    watch(Progress::Begun(Phase::Blobs, Some((wanted.len() as u64, bytes))));
    let (mut bad, mut working) = (BadBlobs::new(), JoinSet::new());
    let mut wanted = wanted.into_iter();
    loop {
        while working.len() < options.at_once.get()
            && let Some((id, size)) = wanted.next()
        {
            stop.check()?;
            let (store, pace) = (store.clone(), Arc::clone(pace));
            let digest = inventory.digests.digest(id);
            let heard = move |bytes| {
                let pace = Arc::clone(&pace);
                async move { pace.take(bytes).await }
            };
            working.spawn(async move { (id, digest, size, store.hash(&digest, heard).await) });
        }
        stop.check()?;
        let joined = match timeout(PATIENCE, working.join_next()).await {
            Ok(None) => break,
            Ok(Some(joined)) => joined,
            Err(_) => continue,
        };
        let (id, digest, size, hashed) = match joined {
            Ok(done) => done,
            Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
            Err(_) => return Err(Error::Stopped),
        };
        watch(Progress::Advanced { objects: 1, bytes: size });
        report.hashed += 1;
        report.hashed_bytes += size;
        match hashed {
            Ok(hashed) if hashed == digest => state.note(&digest)?,
            Ok(_) => drop(bad.insert(id, Bad::Corrupt)),
            // Gone since it was listed.
            Err(error) if error.is_not_found() => {}
            Err(error) => drop(bad.insert(id, Bad::Unread(told(&error)))),
        }
    }
    state.flush()?;
    Ok(bad)
}

/// The blobs that are to be read, with their lengths.
fn wanted(
    (inventory, manifests): (&Inventory, &Manifests),
    state: &State,
    report: &mut Report,
) -> Result<Vec<(DigestId, u64)>, Error> {
    let mut sizes = HashMap::new();
    for manifest in manifests.values() {
        let Manifest::Needs { blobs, .. } = manifest else { continue };
        sizes.extend(blobs.iter().filter_map(|need| Some((need.blob, need.size?))));
    }
    let mut before = DigestSet::default();
    state.each(|digest| {
        if let Some(id) = inventory.digests.find(&digest) {
            before.insert(id);
        }
    })?;
    let mut wanted = Vec::new();
    for id in &inventory.listed {
        let Some(size) = inventory.sizes.get(id) else { continue };
        match manifests.get(id) {
            Some(Manifest::Needs { .. } | Manifest::Strange(_) | Manifest::Corrupt) => {
                report.hashed += 1;
                report.hashed_bytes += size;
                continue;
            }
            Some(Manifest::Missing | Manifest::Unread(_)) | None => {}
        }
        if before.contains(*id) {
            report.hashed_before += 1;
            continue;
        }
        // One that has not the length that its manifest says is read in any case.
        let is_odd = sizes.get(id).is_some_and(|said| said != size);
        if is_odd || state.sample().includes(&inventory.digests.digest(*id)) {
            wanted.push((*id, *size));
        }
    }
    Ok(wanted)
}
