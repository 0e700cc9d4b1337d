//! What pushers notice of collections beside them: the same clients at the same registry, with collections one after the
//! other and without any, in turns.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    client::Connection,
    content::Pattern,
    load::{CLIENTS, SMALL_BYTES},
    pair::Side,
    reads,
    rows::{self, float},
    run::Bench,
    running::{ACCOUNT, Running, Settings},
    servers::free_address,
    stats::Series,
};
use crate::{
    store::{self, Options, Shape},
    sys::{process, program},
};

/// A registry that is younger is not collected beside its clients.
const LEASE: Duration = Duration::from_secs(2);

/// A store of a tenth of the usual size: a collection is over before a turn is.
const SMALLER: usize = 10;

/// Pushes images beside collections, and without.
pub(crate) fn beside(bench: &mut Bench) -> Result<Vec<Series>> {
    let root = bench.scratch.path().join("beside");
    let repositories = bench.scale.repositories.div_ceil(SMALLER);
    let folder = root.join("storage");
    let blobs = store::generate(&Options { folder, shape: Shape::STANDARD, repositories })?.blobs;
    if process::is_root() {
        let owner = format!("{ACCOUNT}:{ACCOUNT}");
        program::output("chown", &["-R", &owner, &root.join("storage").display().to_string()])?;
    }
    let address = free_address()?;
    let registry =
        format!("registry_http_addr = \"{address}\"\nlease = \"{}s\"\n", LEASE.as_secs());
    let settings =
        Settings { top: "", registry: &registry, tables: "[registry.nginx]\nenable = false\n" };
    let regctl = bench.programs.ours.file.clone();
    let instance = Running::instance(&regctl, &root, address, settings)?;
    thread::sleep(LEASE);
    // What is dead from the start goes before anybody counts.
    collect(&regctl, &root)?;
    let pattern = Pattern::new(SMALL_BYTES);
    let [rates, slowest] = bench.turns(|side| {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let collecting = (side == Side::Ours).then(|| {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        collect(&regctl, &root)?;
                    }
                    Ok::<_, anyhow::Error>(())
                })
            });
            let pushed = push_images(&instance, &pattern, bench.scale.window);
            is_over.store(true, Ordering::Relaxed);
            if let Some(collecting) = collecting {
                collecting.join().expect("a collection does not panic")?;
            }
            pushed
        })
    })?;
    instance.stop()?;
    let beside = format!("beside collections of {blobs} blobs, and without,");
    let rates = Series {
        title: format!("images pushed a second {beside} {CLIENTS} clients"),
        samples: rates,
        bar: Some(rows::GC_BESIDE),
    };
    let slowest = Series {
        title: format!("an image pushed {beside} 99 of 100, ms"),
        samples: slowest,
        bar: Some(rows::GC_BESIDE_SLOWEST),
    };
    Ok(vec![rates, slowest])
}

/// Collects once what is untagged, beside the registry that serves.
fn collect(regctl: &Path, root: &Path) -> Result<()> {
    let mut command = program::command(regctl);
    command.arg("--root").arg(root);
    command.args(["--quiet", "registry-garbage-collect", "-m", "--online", "--grace", "0s"]);
    let ended = command.output().context("failed to run a collection")?;
    // What is pushed or deleted while it is read is a doubt (5), which is kept.
    ensure!(
        matches!(ended.status.code(), Some(0 | 5)),
        "a collection ended with {}: {}",
        ended.status,
        String::from_utf8_lossy(&ended.stderr)
    );
    Ok(())
}

/// Pushes images from several clients for a while; returns how many a second, and the milliseconds that 99 of 100 take at
/// the most.
fn push_images(server: &Running, pattern: &Pattern, window: Duration) -> Result<[f64; 2]> {
    let began = Instant::now();
    let client = |number: u64| {
        let mut connection = Connection::open(server.address)?;
        let repository = format!("bench/beside-{number}");
        let mut taken = Vec::new();
        while began.elapsed() < window {
            let at = Instant::now();
            reads::push_image_to(&mut connection, &repository, pattern)?;
            taken.push(at.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(taken)
    };
    let taken: Result<Vec<Vec<f64>>> = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|number| scope.spawn(move || client(number))).collect();
        clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut taken = taken?.concat();
    taken.sort_by(f64::total_cmp);
    let slowest = taken.get(taken.len() * 99 / 100).context("no image was pushed")?;
    Ok([float(taken.len() as u64) / seconds, *slowest])
}
