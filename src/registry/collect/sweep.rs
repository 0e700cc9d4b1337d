//! Carries a plan out, step by step with a sync after each: wherever it stops, the registry is whole, and the next
//! collection finds the rest.

use std::collections::HashSet;

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
    /// Why something did not go: the first hundred.
    pub failures: Vec<String>,
    /// How many.
    pub failed: u64,
    /// The step after which it was given up: what comes later could be needed by what did not go.
    pub stopped: Option<Step>,
}

/// Removes what is planned.
///
/// # Errors
/// The store can no longer be used at all.
pub(crate) async fn sweep<S: Bulk>(
    store: &S,
    plan: &Plan,
    disposal: &Disposal,
    watch: &mut dyn FnMut(Progress),
) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    // What something that stays leads to.
    let mut spared = HashSet::new();
    for step in Step::ALL.into_iter().filter(|&step| plan.len(step) > 0) {
        watch(Progress::Begun(Phase::Removing(step), Some(plan.len(step) as u64)));
        let mut sizes = plan.sizes.iter().copied();
        let sized = |item| (item, if step == Step::Blobs { sizes.next().unwrap_or(0) } else { 0 });
        let items: Vec<_> = plan.items(step).map(sized).collect();
        for wave in waves(plan, step, items) {
            let mut items = wave.into_iter().peekable();
            while let Some((first, _)) = items.peek() {
                // A repository may go once those within it are gone.
                let is_repository = matches!(first, Item::Repository(_));
                let most = if is_repository { 1 } else { BATCH };
                let batch: Vec<_> = items.by_ref().take(most).collect();
                watch(Progress::Advanced(batch.len() as u64));
                let before = batch.len();
                let is_spared =
                    |item: &Item| digest(item).is_some_and(|digest| spared.contains(&digest));
                let batch: Vec<_> =
                    batch.into_iter().filter(|(item, _)| !is_spared(item)).collect();
                swept.kept += (before - batch.len()) as u64;
                let (items, sizes): (Vec<Item>, Vec<u64>) = batch.into_iter().unzip();
                let results = store.remove(items.clone(), disposal.clone()).await?;
                for ((item, bytes), result) in items.iter().zip(sizes).zip(results) {
                    if let (Ok(Removed::Kept(_)), Some(digest)) = (&result, digest(item)) {
                        spared.extend(plan.leads.closure(digest));
                    }
                    if matches!(result, Ok(Removed::Gone)) {
                        watch(Progress::Gone(item.clone()));
                    }
                    swept.count(step, is_repository, bytes, result);
                }
            }
        }
        store.sync().await?;
        if swept.failed > 0 {
            swept.stopped = Some(step);
            break;
        }
    }
    Ok(swept)
}

/// The items of a step, none with or after what it leads to.
fn waves(plan: &Plan, step: Step, items: Vec<(Item, u64)>) -> Vec<Vec<(Item, u64)>> {
    if step != Step::Revisions {
        return vec![items];
    }
    // Links have no size that is told.
    let waves = plan.leads.waves(items.into_iter().map(|(item, _)| item).collect());
    waves.into_iter().map(|wave| wave.into_iter().map(|item| (item, 0)).collect()).collect()
}

impl Swept {
    fn count(
        &mut self,
        step: Step,
        is_repository: bool,
        bytes: u64,
        result: Result<Removed, Error>,
    ) {
        let removed = &mut self.removed;
        let counter = match step {
            Step::Tags => &mut removed.tags,
            Step::TagIndexes => &mut removed.tag_indexes,
            Step::Revisions => &mut removed.manifests,
            Step::Layers => &mut removed.layers,
            Step::Blobs => &mut removed.blobs,
            Step::Folders if is_repository => &mut removed.repositories,
            Step::Folders => &mut removed.leftovers,
        };
        match result {
            Ok(Removed::Gone) => {
                *counter += 1;
                removed.bytes += bytes;
            }
            // Nothing but their folder was left.
            Ok(Removed::Vanished) if step == Step::Folders && !is_repository => *counter += 1,
            Ok(Removed::Vanished) => self.vanished += 1,
            Ok(Removed::Kept(_)) => self.kept += 1,
            Err(error) if is_repository && error.kind() == Kind::Busy => self.occupied += 1,
            Err(error) => {
                self.failed += 1;
                if self.failures.len() < FAILURES {
                    self.failures.push(told(&error));
                }
            }
        }
    }
}
