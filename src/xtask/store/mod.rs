//! `cargo xtask generate-store`: a storage folder of Distribution's with much to collect, the same on every run.

mod options;
mod repository;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Result, anyhow};

use crate::{failure::Failure, sys::terminal};
pub(crate) use options::{Options, Shape};
use repository::Written;

/// Writes the store.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let written = generate(options)?;
    terminal::talk(&format!(
        "{}: {} repositories, {} blobs in {} files",
        options.folder.display(),
        options.repositories,
        written.blobs,
        written.files
    ));
    Ok(())
}

/// The same, for a benchmark.
pub(crate) fn generate(options: &Options) -> Result<Written> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let work = || -> Result<Written> {
        let mut written = Written::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= options.repositories {
                return Ok(written);
            }
            written += repository::write(&options.folder, options.shape, number)?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Written::default();
        for worker in workers {
            all += worker.join().map_err(|_| anyhow!("a writer panicked"))??;
        }
        Ok(all)
    })
}
