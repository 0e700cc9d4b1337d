//! Garbage collection of the same folder by both programs, as blobs of the folder a second, in one turn each: the peer's
//! takes a minute. All of it is in the kernel's caches. Who sweeps has a copy of its own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
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
    sys::{file, program},
};

/// What may be done in a storage folder that nobody serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Look,
    Sweep,
}

/// A store to be collected, and how many blobs it has.
struct Store {
    folder: PathBuf,
    blobs: u64,
}

/// The first look at a store.
pub(crate) fn dry(bench: &mut Bench) -> Result<Vec<Series>> {
    let store = Store::generate(bench, Shape::STANDARD)?;
    let samples = Pair::make(|side| {
        store.warm()?;
        single(store.rate(collect(bench, side, &store.folder, Mode::Look)?))
    })?;
    store.remove()?;
    let title = format!("first dry run over {} blobs, blobs/s", store.blobs);
    Ok(vec![Series { title, samples, bar: Some(rows::GC_DRY) }])
}

/// A look that knows what the last one has read: in a folder that a registry of ours has served, where it is kept.
pub(crate) fn dry_again(bench: &mut Bench) -> Result<Vec<Series>> {
    let store = Store::generate(bench, Shape::STANDARD)?;
    let kept = store.folder.join("docker/registry/v2/regctl");
    fs::create_dir(&kept).with_context(|| format!("failed to create `{}`", kept.display()))?;
    let samples = Pair::make(|side| {
        store.warm()?;
        if side == Side::Ours {
            collect(bench, side, &store.folder, Mode::Look)?;
        }
        single(store.rate(collect(bench, side, &store.folder, Mode::Look)?))
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
    let samples = store.swept(bench)?;
    store.remove()?;
    let ratio = samples.ours.median() / store.rate(bare);
    let (least, limit) = rows::GC;
    let instead = Instead { of: "unlink and rmdir", ratio, limit };
    let title = format!("collection of {} blobs, blobs/s", store.blobs);
    Ok(vec![Series { title, samples, bar: Some(Bar::AtLeastOr(least, instead)) }])
}

/// One repository with many tags: the peer asks each tag for each manifest. What a sweep takes beyond the look is the
/// removal of files.
pub(crate) fn wide(bench: &mut Bench) -> Result<Vec<Series>> {
    let store = Store::generate(bench, Shape::WIDE)?;
    let looks = Pair::make(|side| {
        store.warm()?;
        single(store.rate(collect(bench, side, &store.folder, Mode::Look)?))
    })?;
    let sweeps = store.swept(bench)?;
    store.remove()?;
    let look = format!("first dry run over {} blobs of one repository, blobs/s", store.blobs);
    let sweep = format!("collection of {} blobs of one repository, blobs/s", store.blobs);
    Ok(vec![
        Series { title: look, samples: looks, bar: Some(rows::GC_WIDE) },
        Series { title: sweep, samples: sweeps, bar: None },
    ])
}

impl Store {
    fn generate(bench: &Bench, shape: Shape) -> Result<Self> {
        let folder = bench.scratch.path().join("store");
        let repositories = bench.scale.repositories.min(shape.usual());
        let options = Options { folder: folder.clone(), shape, repositories };
        let blobs = store::generate(&options)?.blobs;
        Ok(Self { folder, blobs })
    }

    fn rate(&self, seconds: f64) -> f64 {
        float(self.blobs) / seconds
    }

    /// Has everything in the kernel's caches.
    fn warm(&self) -> Result<()> {
        // A search that reads every file; manifests are what it finds.
        program::output("grep", &["-rl", "schemaVersion", &self.folder.display().to_string()])
            .map(drop)
    }

    /// A copy beside it.
    fn copy(&self, name: &str) -> Result<PathBuf> {
        let copy = self.folder.with_file_name(name);
        let [from, to] = [&self.folder, &copy].map(|path| path.display().to_string());
        program::output("cp", &["-a", "--reflink=auto", &from, &to])?;
        Ok(copy)
    }

    /// Has each side sweep a copy.
    fn swept(&self, bench: &Bench) -> Result<Pair<Sample>> {
        Pair::make(|side| {
            let copy = self.copy(side.name())?;
            sync(&copy)?;
            let seconds = collect(bench, side, &copy, Mode::Sweep)?;
            remove(&copy)?;
            single(self.rate(seconds))
        })
    }

    fn remove(&self) -> Result<()> {
        remove(&self.folder)
    }
}

/// How many seconds a program takes.
fn collect(bench: &Bench, side: Side, storage: &Path, mode: Mode) -> Result<f64> {
    let said = bench.scratch.path().join("said");
    let output =
        File::create(&said).with_context(|| format!("failed to create `{}`", said.display()))?;
    let mut command = command(bench, side, storage, mode)?;
    command.stdout(output).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status().with_context(|| format!("failed to run {}", side.name()))?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(status.success(), "{} ended with {status}", side.name());
    let text = file::read(&said)?;
    ensure!(text.contains("eligible for deletion"), "{} found nothing to collect", side.name());
    Ok(seconds)
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
    deletions.iter().map(path).collect::<Option<_>>().context("a deletion has a path")
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
