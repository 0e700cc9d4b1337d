//! Has repairs made, in the order in which one needs the other, and notes what came of them.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::AtomicBool,
    time::{Duration, SystemTime},
};

use super::{Finding, Mender, MenderError, Outcome, Progress, Report, Stop, progress::Phase};
use crate::{
    collect,
    content::{Mend, Mended},
};

/// Repairs between two looks at whether to go on.
const BATCH: usize = 200;

/// The same for those that have to read blobs.
const READ_BATCH: usize = 8;

/// How long corrupt blobs are kept; the first collection after that removes them.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

impl Report {
    /// Repairs what can be, and notes in each finding what came of it. Returns the name of the quarantine that was made.
    ///
    /// # Errors
    /// No more are made. What came of those before stands in the findings.
    pub async fn repair(
        &mut self,
        mender: &mut Mender,
        stop: &AtomicBool,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Option<String>, MenderError> {
        let stop = Stop(stop);
        let mut mends: Vec<Mend> = Vec::new();
        let mut seen = HashSet::new();
        let repairable = self.findings().filter_map(|finding| finding.mend.as_ref());
        mends.extend(repairable.filter(|mend| seen.insert((*mend).clone())).cloned());
        if mends.is_empty() {
            return Ok(None);
        }
        mends.sort_by_key(rank);
        watch(Progress::Begun(Phase::Repairing, Some((mends.len() as u64, 0))));
        let mut came = HashMap::new();
        let run = match begin(&mends, mender).await? {
            Ok(run) => run,
            Err(reason) => {
                // Nothing goes where there is no place for it.
                let (moves, rest) =
                    mends.into_iter().partition(|it| matches!(it, Mend::Quarantine { .. }));
                let moves: Vec<Mend> = moves;
                let failed = |mend| (mend, Mended::Failed { reason: reason.clone() });
                came.extend(moves.into_iter().map(failed));
                mends = rest;
                None
            }
        };
        let mut ended = Ok(());
        // Those of a batch are made side by side.
        let ranks = mends.chunk_by(|one, other| rank(one) == rank(other));
        for some in ranks.flat_map(|of_rank| of_rank.chunks(batch(of_rank))) {
            if stop.check().is_err() {
                break;
            }
            let asked: Vec<Mend> = some.iter().map(|mend| placed(mend, run.as_deref())).collect();
            match mender.mend(&asked).await {
                Ok(mended) => came.extend(some.iter().cloned().zip(mended)),
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            }
            watch(Progress::Advanced { objects: some.len() as u64, bytes: 0 });
        }
        for finding in self.repositories.iter_mut().flat_map(|it| &mut it.findings) {
            if let Some(mended) = finding.mend.as_ref().and_then(|mend| came.get(mend)) {
                finding.outcome = outcome(finding, mended);
            }
        }
        ended.map(|()| run)
    }
}

/// Makes a quarantine, if one is needed; or says why there is none.
async fn begin(
    mends: &[Mend],
    mender: &mut Mender,
) -> Result<Result<Option<String>, String>, MenderError> {
    if !mends.iter().any(|mend| matches!(mend, Mend::Quarantine { .. })) {
        return Ok(Ok(None));
    }
    let (run, index) = collect::quarantine_index(SystemTime::now(), KEPT);
    let begin = Mend::Begin { run: run.to_string(), index };
    Ok(match mender.mend(&[begin]).await?.pop() {
        Some(Mended::Failed { reason }) => Err(reason),
        _ => Ok(Some(run.to_string())),
    })
}

fn batch(of_rank: &[Mend]) -> usize {
    match of_rank {
        [Mend::Quarantine { .. }, ..] => READ_BATCH,
        _ => BATCH,
    }
}

/// What comes first: a link whose blob is corrupt goes when that is out of the way.
fn rank(mend: &Mend) -> u8 {
    match mend {
        Mend::Begin { .. } => 0,
        Mend::Quarantine { .. } => 1,
        Mend::Folders { .. } => 2,
        Mend::Revision { .. } | Mend::Layer { .. } => 3,
        Mend::Tag { .. } => 4,
        Mend::TagIndex { .. } => 5,
        Mend::Dangling { .. } => 6,
    }
}

/// The same with the name of the quarantine.
fn placed(mend: &Mend, run: Option<&str>) -> Mend {
    match (mend, run) {
        (Mend::Quarantine { digest, .. }, Some(run)) => {
            Mend::Quarantine { digest: *digest, run: run.to_owned() }
        }
        (mend, _) => mend.clone(),
    }
}

fn outcome(finding: &Finding, mended: &Mended) -> Outcome {
    match (mended, &finding.mend) {
        (Mended::Done, Some(Mend::Quarantine { .. })) => Outcome::Quarantined,
        (Mended::Done, _) => Outcome::Repaired,
        (Mended::Unneeded, _) => Outcome::Changed,
        (Mended::Failed { reason }, _) => Outcome::Failed { reason: reason.clone() },
    }
}
