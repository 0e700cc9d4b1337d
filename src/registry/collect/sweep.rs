//! Carries a plan out, step by step with a sync after each: wherever it stops, the registry is whole, and the next
//! collection finds the rest.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use oci::Digest;
use storage::{Bulk, Disposal, Error, Item, Kind, Removed};

use super::{
    leads::digest,
    note::told,
    plan::{Counts, Plan, Step},
    progress::{Phase, Progress},
};

/// How much is removed at once.
const BATCH: usize = 2048;
/// Nobody reads more of them.
const FAILURES: usize = 100;

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// What went.
    pub removed: Counts,
    /// What had gone before its turn.
    pub vanished: u64,
    /// What stays since the registry beside the collection has promised it, or it was written lately, or it belongs to
    /// something that does.
    pub kept: u64,
    /// Repositories that stay since they hold what nobody knows, or others.
    pub occupied: u64,
    /// What it is, of the first hundred.
    pub occupants: Vec<String>,
    /// Why something did not go: the first hundred.
    pub failures: Vec<String>,
    /// How many.
    pub failed: u64,
    /// The step after which it was given up: what comes later could be needed by what did not go.
    pub stopped: Option<Step>,
    /// Whether it was told to stop before the end.
    pub interrupted: bool,
}

/// Removes what is planned, until it is told to stop: what it has begun by then it ends, so that nothing is under way any more.
///
/// # Errors
/// The store can no longer be used at all.
pub(crate) async fn sweep<S: Bulk>(
    store: &S,
    plan: &Plan,
    disposal: &Disposal,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(Progress),
) -> Result<Swept, Error> {
    let (swept, spared) = Default::default();
    let mut sweeping = Sweeping { store, plan, disposal, stop, swept, spared };
    for step in Step::ALL.into_iter().filter(|&step| plan.len(step) > 0) {
        watch(Progress::Begun(Phase::Removing(step), Some(plan.len(step) as u64)));
        if step == Step::Revisions && !plan.leads.are_unknown() {
            // None comes with or after what it leads to.
            for wave in plan.leads.waves(plan.items(step).collect()) {
                sweeping.remove(step, wave.into_iter(), watch).await?;
            }
        } else {
            sweeping.remove(step, plan.items(step), watch).await?;
        }
        store.sync().await?;
        if sweeping.swept.failed > 0 {
            sweeping.swept.stopped = Some(step);
            break;
        }
        if sweeping.swept.interrupted {
            break;
        }
    }
    Ok(sweeping.swept)
}

struct Sweeping<'a, S> {
    store: &'a S,
    plan: &'a Plan,
    disposal: &'a Disposal,
    stop: &'a AtomicBool,
    swept: Swept,
    /// What something that stays leads to.
    spared: HashSet<Digest>,
}

impl<S: Bulk> Sweeping<'_, S> {
    async fn remove(
        &mut self,
        step: Step,
        mut items: impl Iterator<Item = Item>,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        // A repository may go once those within it are gone.
        let most = if step == Step::Repositories { 1 } else { BATCH };
        let sizes: &[u64] = if step == Step::Blobs { &self.plan.sizes } else { &[] };
        let mut sizes = sizes.iter().copied();
        loop {
            let batch = items.by_ref().take(most);
            let batch: Vec<_> = batch.map(|item| (item, sizes.next().unwrap_or(0))).collect();
            if batch.is_empty() {
                return Ok(());
            }
            if self.stop.load(Ordering::Relaxed) {
                self.swept.interrupted = true;
                return Ok(());
            }
            watch(Progress::Advanced(batch.len() as u64));
            self.remove_batch(step, batch, watch).await?;
        }
    }

    async fn remove_batch(
        &mut self,
        step: Step,
        mut batch: Vec<(Item, u64)>,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let before = batch.len();
        batch.retain(|(item, _)| !digest(item).is_some_and(|it| self.spared.contains(&it)));
        self.swept.kept += (before - batch.len()) as u64;
        let items = batch.iter().map(|(item, _)| item.clone()).collect();
        let results = self.store.remove(items, self.disposal.clone()).await?;
        for ((item, bytes), result) in batch.into_iter().zip(results) {
            if let (Ok(Removed::Kept(_)), Some(digest)) = (&result, digest(&item)) {
                self.spared.extend(self.plan.leads.closure(digest));
            }
            if matches!(result, Ok(Removed::Gone)) {
                watch(Progress::Gone(item));
            }
            self.swept.count(step, bytes, result);
        }
        Ok(())
    }
}

impl Swept {
    fn count(&mut self, step: Step, bytes: u64, result: Result<Removed, Error>) {
        let removed = &mut self.removed;
        let counter = match step {
            Step::Tags => &mut removed.tags,
            Step::TagIndexes => &mut removed.tag_indexes,
            Step::Revisions => &mut removed.manifests,
            Step::Layers => &mut removed.layers,
            Step::Blobs => &mut removed.blobs,
            Step::Folders => &mut removed.leftovers,
            Step::Repositories => &mut removed.repositories,
        };
        match (result, step) {
            (Ok(Removed::Gone), _) => {
                *counter += 1;
                removed.bytes += bytes;
            }
            // Nothing but their folder was left.
            (Ok(Removed::Vanished), Step::Folders) => *counter += 1,
            (Ok(Removed::Vanished), _) => self.vanished += 1,
            (Ok(Removed::Kept(_)), _) => self.kept += 1,
            (Err(error), Step::Repositories) if error.kind() == Kind::Busy => {
                self.occupied += 1;
                if self.occupants.len() < FAILURES {
                    self.occupants.push(error.key().to_owned());
                }
            }
            (Err(error), _) => {
                self.failed += 1;
                if self.failures.len() < FAILURES {
                    self.failures.push(told(&error));
                }
            }
        }
    }
}
