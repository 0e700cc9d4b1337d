//! Garbage collection of the same folder by both programs, as blobs of the folder a second, in one turn each, as the peer's
//! takes a minute; only our second look is taken a few times. All of it is in the kernel's caches. Who sweeps has a copy of its own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    pair::{Pair, Side},
    rows::{self, float, single},
    run::Bench,
    servers,
    stats::{Bar, Instead, Sample, Series},
};
use crate::{
    store::{self, Options, Shape},
    sys::{file, process, program},
};

/// What may be done in a storage folder that nobody serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Look,
    Sweep,
}

/// What one run took: seconds, and megabytes at its peak.
#[derive(Debug)]
struct Run {
    seconds: f64,
    peak: f64,
}

/// How often it is looked how much memory a program holds.
const LOOK: Duration = Duration::from_millis(5);

/// How often ours looks again: of a quarter of a second, one alone shows what else the machine did.
const LOOKS_AGAIN: usize = 5;

/// The sizes of a curve, in hundredths of the usual number of repositories: about 10,000, 100,000 and 300,000 blobs.
const CURVE: [usize; 3] = [9, 87, 261];

/// A store to be collected, and how many blobs it has.
struct Store {
    folder: PathBuf,
    blobs: u64,
}

/// The first look at a store.
pub(crate) fn dry(bench: &mut Bench) -> Result<Vec<Series>> {
    let store = Store::generate(bench, Shape::STANDARD)?;
    let runs = Pair::make(|side| {
        store.warm()?;
        collect(bench, side, &store.folder, Mode::Look)
    })?;
    store.remove()?;
    let title = format!("first dry run over {} blobs, blobs/s", store.blobs);
    Ok(store.series(title, &runs, Some(rows::GC_DRY))?.into())
}

/// Stores of growing size: seconds for each 100,000 blobs, which should stay, and memory.
pub(crate) fn curve(bench: &mut Bench) -> Result<Vec<Series>> {
    for hundredths in CURVE {
        let repositories = (bench.scale.repositories * hundredths / 100).max(1);
        let store = Store::of(bench, Shape::STANDARD, repositories)?;
        store.warm()?;
        let run = collect(bench, Side::Ours, &store.folder, Mode::Look)?;
        store.remove()?;
        let what = format!("first dry run over {} blobs, ours", store.blobs);
        let each = run.seconds * 100_000.0 / float(store.blobs);
        bench.limits.push((format!("{what}: seconds for each 100,000"), single(each)?));
        bench.limits.push((format!("{what}: peak RSS, MB"), single(run.peak)?));
    }
    Ok(Vec::new())
}

/// A look that knows what the last one has read: in a folder that a registry of ours has served, where it is kept.
pub(crate) fn dry_again(bench: &mut Bench) -> Result<Vec<Series>> {
    let store = Store::generate(bench, Shape::STANDARD)?;
    let kept = store.folder.join("docker/registry/v2/regctl");
    fs::create_dir(&kept).with_context(|| format!("failed to create `{}`", kept.display()))?;
    let samples = Pair::make(|side| {
        store.warm()?;
        let looks = match side {
            Side::Ours => {
                collect(bench, side, &store.folder, Mode::Look)?;
                LOOKS_AGAIN
            }
            Side::Peer => 1,
        };
        let look = |_| collect(bench, side, &store.folder, Mode::Look);
        let looks = (0..looks).map(look).collect::<Result<Vec<Run>>>()?;
        let rates = looks.iter().map(|run| store.rate(run.seconds)).collect();
        Sample::new(rates).context("a measurement is no number")
    })?;
    store.remove()?;
    let title = format!("second dry run over {} blobs, blobs/s", store.blobs);
    Ok(vec![Series { title, samples, bar: Some(rows::GC_DRY_AGAIN) }])
}

/// A sweep, beside the removal of the same files by a program that knows which.
pub(crate) fn sweep(bench: &mut Bench) -> Result<Vec<Series>> {
    let store = Store::generate(bench, Shape::STANDARD)?;
    let copy = store.copy("bare")?;
    let paths = going(bench, &copy)?;
    sync(&copy)?;
    let began = Instant::now();
    bare(&copy, &paths)?;
    sync(&copy)?;
    let bare = began.elapsed().as_secs_f64();
    remove(&copy)?;
    bench.limits.push((
        format!("unlink and rmdir of {} files of {} blobs, blobs/s", paths.len(), store.blobs),
        single(store.rate(bare))?,
    ));
    let runs = store.swept(bench)?;
    store.remove()?;
    let ratio = bare / runs.ours.seconds;
    let (least, limit) = rows::GC;
    let instead = Instead { of: "unlink and rmdir", ratio, limit };
    let title = format!("collection of {} blobs, blobs/s", store.blobs);
    Ok(store.series(title, &runs, Some(Bar::AtLeastOr(least, instead)))?.into())
}

/// One repository with many tags: the peer asks each tag for each manifest. What a sweep takes beyond the look is the
/// removal of files.
pub(crate) fn wide(bench: &mut Bench) -> Result<Vec<Series>> {
    let store = Store::generate(bench, Shape::WIDE)?;
    let looks = Pair::make(|side| {
        store.warm()?;
        collect(bench, side, &store.folder, Mode::Look)
    })?;
    let sweeps = store.swept(bench)?;
    store.remove()?;
    let look = format!("first dry run over {} blobs of one repository, blobs/s", store.blobs);
    let sweep = format!("collection of {} blobs of one repository, blobs/s", store.blobs);
    let looks = store.series(look, &looks, Some(rows::GC_WIDE))?;
    Ok(looks.into_iter().chain(store.series(sweep, &sweeps, None)?).collect())
}

impl Store {
    fn generate(bench: &Bench, shape: Shape) -> Result<Self> {
        Self::of(bench, shape, bench.scale.repositories.min(shape.usual()))
    }

    fn of(bench: &Bench, shape: Shape, repositories: usize) -> Result<Self> {
        let folder = bench.scratch.path().join("store");
        let options = Options { folder: folder.clone(), shape, repositories };
        let blobs = store::generate(&options)?.blobs;
        Ok(Self { folder, blobs })
    }

    fn rate(&self, seconds: f64) -> f64 {
        float(self.blobs) / seconds
    }

    /// Has everything in the kernel's caches, and nothing on its way to the disk: what was just generated would be written beside
    /// the first look, and not beside the later ones.
    fn warm(&self) -> Result<()> {
        sync(&self.folder)?;
        // A search that reads every file; manifests are what it finds.
        program::output("grep", &["-rl", "schemaVersion", &self.folder.display().to_string()])
            .map(drop)
    }

    /// A copy beside it.
    fn copy(&self, name: &str) -> Result<PathBuf> {
        let copy = self.folder.with_extension(name);
        // It would be copied into the other one.
        ensure!(!copy.exists(), "`{}` is there already", copy.display());
        let [from, to] = [&self.folder, &copy].map(|path| path.display().to_string());
        program::output("cp", &["-a", "--reflink=auto", &from, &to])?;
        Ok(copy)
    }

    /// How fast both sides went, and how much memory they held.
    fn series(&self, title: String, runs: &Pair<Run>, bar: Option<Bar>) -> Result<[Series; 2]> {
        let rates = Pair::make(|side| single(self.rate(runs.of(side).seconds)))?;
        let memory = Pair::make(|side| single(runs.of(side).peak))?;
        let held = format!("{}: peak RSS, MB", title.trim_end_matches(", blobs/s"));
        let memory_bar = bar.is_some().then_some(rows::GC_RSS);
        Ok([
            Series { title, samples: rates, bar },
            Series { title: held, samples: memory, bar: memory_bar },
        ])
    }

    /// Has each side sweep a copy.
    fn swept(&self, bench: &Bench) -> Result<Pair<Run>> {
        Pair::make(|side| {
            let copy = self.copy(side.name())?;
            sync(&copy)?;
            let run = collect(bench, side, &copy, Mode::Sweep)?;
            remove(&copy)?;
            Ok(run)
        })
    }

    fn remove(&self) -> Result<()> {
        remove(&self.folder)
    }
}

/// What a program takes.
fn collect(bench: &Bench, side: Side, storage: &Path, mode: Mode) -> Result<Run> {
    let said = bench.scratch.path().join("said");
    let output =
        File::create(&said).with_context(|| format!("failed to create `{}`", said.display()))?;
    let mut command = command(bench, side, storage, mode)?;
    command.stdout(output).stderr(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("failed to run {}", side.name()))?;
    let mut peak = 0.0_f64;
    let status = loop {
        // The memory of a process that has ended is not known any more.
        peak = process::memory(child.id()).map_or(peak, |memory| memory.peak.max(peak));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(LOOK);
    };
    let seconds = began.elapsed().as_secs_f64();
    ensure!(status.success(), "{} ended with {status}", side.name());
    let text = file::read(&said)?;
    ensure!(text.contains("eligible for deletion"), "{} found nothing to collect", side.name());
    Ok(Run { seconds, peak })
}

fn command(bench: &Bench, side: Side, storage: &Path, mode: Mode) -> Result<std::process::Command> {
    let config = bench.scratch.path().join("collect.yml");
    file::write(&config, &servers::config(storage, servers::free_address()?))?;
    let with = bench.programs.of(side);
    let mut command = program::command(&with.file);
    command.args(with.arguments).args(["garbage-collect", "-m"]);
    if mode == Mode::Look {
        command.arg("-d");
    }
    command.arg(config).stdin(Stdio::null());
    Ok(command)
}

/// The files that a sweep removes.
fn going(bench: &Bench, storage: &Path) -> Result<Vec<String>> {
    let output = command(bench, Side::Ours, storage, Mode::Look)?
        .arg("--json")
        .output()
        .context("failed to run ours")?;
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("a report is JSON")?;
    let deletions = report["deletions"].as_array().context("a report has deletions")?;
    let path = |deletion: &serde_json::Value| deletion["path"].as_str().map(str::to_owned);
    let paths: Option<Vec<String>> = deletions.iter().map(path).collect();
    let paths = paths.context("a deletion has a path")?;
    ensure!(!paths.is_empty(), "ours finds nothing to collect in `{}`", storage.display());
    Ok(paths)
}

/// The least that a sweep can be.
fn bare(storage: &Path, paths: &[String]) -> Result<()> {
    for path in paths.iter().map(|path| storage.join(path)) {
        let removed =
            fs::remove_file(&path).and_then(|()| path.parent().map_or(Ok(()), fs::remove_dir));
        removed.with_context(|| format!("failed to remove `{}`", path.display()))?;
    }
    Ok(())
}

fn sync(folder: &Path) -> Result<()> {
    program::output("sync", &["-f", &folder.display().to_string()]).map(drop)
}

fn remove(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).with_context(|| format!("failed to remove `{}`", folder.display()))
}
