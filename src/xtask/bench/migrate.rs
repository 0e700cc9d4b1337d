//! A registry's folder into a bucket, and once more when nothing has changed: beside `s5cmd`, the fastest of those that copy
//! files. It compares sizes; we compare what every link holds.

use std::{path::Path, process::Command, time::Instant};

use anyhow::{Context, Result, ensure};

use super::{
    bucket::{ACCESS_KEY, Bucket, NAME, SECRET_KEY},
    pair::Side,
    rows,
    run::Bench,
    running::{ACCOUNT, Running, Settings},
    servers::free_address,
    stats::Series,
};
use crate::{
    store::{self, Options, Shape},
    sys::{file, process, program},
};

/// What the folder in the bucket is called before the first turn.
const BEFORE: &str = "turn-0";

/// Copies a store into a bucket, and looks again.
pub(crate) fn copy(bench: &mut Bench) -> Result<Vec<Series>> {
    let root = bench.scratch.path().join("migrate");
    let folder = root.join("storage");
    let repositories = bench.scale.repositories;
    let options = Options { folder: folder.clone(), shape: Shape::STANDARD, repositories };
    let blobs = store::generate(&options)?.blobs;
    if process::is_root() {
        let owner = format!("{ACCOUNT}:{ACCOUNT}");
        program::output("chown", &["-R", &owner, &folder.display().to_string()])?;
    }
    let bucket = Bucket::start(&root.join("bucket"))?;
    let address = free_address()?;
    let settings = Settings {
        top: "",
        registry: &format!("registry_http_addr = \"{address}\"\n"),
        tables: &format!(
            "[registry.nginx]\nenable = false\n[migrate.to.s3]\nbucket = \"{NAME}\"\nregionendpoint = \"{}\"\n\
             rootdirectory = \"{BEFORE}\"\naccesskey = \"{ACCESS_KEY}\"\nsecretkey = \"{SECRET_KEY}\"\n",
            bucket.endpoint
        ),
    };
    let regctl = bench.programs.ours.file.clone();
    let instance = Running::instance(&regctl, &root, address, settings)?;
    let config = root.join("etc/regctl/instance.toml");
    let text = file::read(&config)?;
    let mut turn = 0;
    let [first, again] = bench.turns(|side| {
        turn += 1;
        let place = format!("turn-{turn}");
        file::write(&config, &text.replace(BEFORE, &place))?;
        let run = || match side {
            Side::Ours => timed(&mut ours(&regctl, &root)),
            Side::Peer => timed(&mut bucket.peer([
                "sync".to_owned(),
                "--size-only".to_owned(),
                format!("{}/", folder.display()),
                format!("s3://{NAME}/{place}/"),
            ])),
        };
        Ok([run()?, run()?])
    })?;
    instance.stop()?;
    let first = Series {
        title: format!("a store of {blobs} blobs into a bucket, beside `s5cmd sync`, s"),
        samples: first,
        bar: Some(rows::MIGRATE),
    };
    let again = Series {
        title: "the same again, unchanged: every link compared, and sizes by the peer, s"
            .to_owned(),
        samples: again,
        bar: Some(rows::MIGRATE),
    };
    Ok(vec![first, again])
}

fn ours(regctl: &Path, root: &Path) -> Command {
    let mut command = program::command(regctl);
    command.arg("--root").arg(root).arg("--quiet");
    command.args(["migrate-storage", "--to", "s3", "--only", "copy", "--concurrency", "32"]);
    command
}

/// Runs a command that must succeed; returns how many seconds it took.
fn timed(command: &mut Command) -> Result<f64> {
    let began = Instant::now();
    let ended = command.output().context("failed to run a copy")?;
    let seconds = began.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    ensure!(ended.status.success(), "a copy ended with {}: {said}", ended.status);
    Ok(seconds)
}
