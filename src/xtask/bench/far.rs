//! A look at a bucket that is some milliseconds away, as those that are rented are: what counts is how many requests there are, and
//! how many of them are under way at once.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    bucket::{ACCESS_KEY, Bucket, NAME, SECRET_KEY},
    pair::{Pair, Side},
    rows::{self, float, single},
    run::Bench,
    servers::free_address,
    stats::Series,
    way::Way,
};
use crate::{
    store::{self, Options, Shape},
    sys::{file, program},
};

/// What each request waits before it goes on.
const AWAY: Duration = Duration::from_millis(10);

/// A tenth of the usual store: the peer asks for one thing after the other, and takes minutes.
const SMALLER: usize = 11;

/// The folder of the bucket.
const ROOT: &str = "store";

/// A first dry run of both over the same bucket. What is untagged stays: to find that out the peer reads each tag once for each manifest, and
/// would take an hour.
pub(crate) fn dry(bench: &mut Bench) -> Result<Vec<Series>> {
    let folder = bench.scratch.path().join("far");
    let repositories = bench.scale.repositories.div_ceil(SMALLER).max(1);
    let options = Options { folder: folder.join("store"), shape: Shape::STANDARD, repositories };
    let blobs = store::generate(&options)?.blobs;
    let bucket = Bucket::start(&folder.join("bucket"))?;
    let from = format!("{}/", options.folder.display());
    let filled = bucket.peer(["cp", &from, &format!("s3://{NAME}/{ROOT}/")]).output();
    let filled = filled.context("failed to run `s5cmd`")?;
    let said = String::from_utf8_lossy(&filled.stderr).into_owned();
    ensure!(filled.status.success(), "the bucket was not filled: {said}");
    let asked = Arc::new(AtomicU64::new(0));
    let admit = {
        let asked = Arc::clone(&asked);
        move |_: &str, _: &str| {
            asked.fetch_add(1, Ordering::Relaxed);
            thread::sleep(AWAY);
        }
    };
    let way = Way::to(&bucket.endpoint, admit).context("failed to listen")?;
    let runs = Pair::make(|side| {
        asked.store(0, Ordering::Relaxed);
        let seconds = look(bench, side, way.endpoint())?;
        Ok::<_, anyhow::Error>((seconds, asked.load(Ordering::Relaxed)))
    })?;
    let what = format!("first dry run over {blobs} blobs of a bucket 10 ms away");
    let seconds = Pair::make(|side| single(runs.of(side).0))?;
    let requests = Pair::make(|side| single(float(runs.of(side).1)))?;
    Ok(vec![
        Series { title: format!("{what}, s"), samples: seconds, bar: Some(rows::GC_FAR) },
        Series { title: format!("{what}: requests"), samples: requests, bar: None },
    ])
}

/// The seconds of one side.
fn look(bench: &Bench, side: Side, endpoint: &str) -> Result<f64> {
    let config = bench.scratch.path().join("far.yml");
    file::write(
        &config,
        &format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  s3:\n    region: us-east-1\n    regionendpoint: {endpoint}\n    \
             secure: false\n    bucket: {NAME}\n    rootdirectory: /{ROOT}\n    accesskey: {ACCESS_KEY}\n    secretkey: {SECRET_KEY}\n\
             http:\n  addr: {}\n",
            free_address()?
        ),
    )?;
    let with = bench.programs.of(side);
    let mut command = program::command(&with.file);
    command.args(with.arguments).args(["garbage-collect", "-d"]).arg(config);
    let began = Instant::now();
    let ended = command.stdin(Stdio::null()).output().context("failed to run a collection")?;
    let seconds = began.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    ensure!(ended.status.success(), "{} ended with {}: {said}", side.name(), ended.status);
    let found = String::from_utf8_lossy(&ended.stdout).contains("eligible for deletion");
    ensure!(found, "{} found nothing to collect", side.name());
    Ok(seconds)
}
