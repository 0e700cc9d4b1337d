//! A program that serves HTTP beside the two registries of a row: an instance of regctl, or a web server.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::client::{Connection, Request};
use crate::sys::{file, process, program};

/// Registries and web servers have something there.
const READY: &str = "/";
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A program that serves HTTP, and that ends with the value.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    pub(super) address: SocketAddr,
    folder: PathBuf,
}

/// What stands in the instance.toml of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings<'a> {
    /// Lines before the first table.
    pub(super) top: &'a str,
    /// Lines of the table `registry`.
    pub(super) registry: &'a str,
    /// Tables.
    pub(super) tables: &'a str,
}

/// Where root runs an instance, nginx's workers would be somebody who may not enter root's storage: an account that every
/// Debian has gives the registry and them one group.
pub(super) const ACCOUNT: &str = "www-data";

impl Running {
    /// Runs an instance that keeps what it stores in `storage` below its root.
    pub(super) fn instance(
        regctl: &Path,
        root: &Path,
        address: SocketAddr,
        settings: Settings<'_>,
    ) -> Result<Self> {
        let (account, accounts) = match process::is_root() {
            true => (
                format!("username = \"{ACCOUNT}\"\ngroup = \"{ACCOUNT}\"\n"),
                "[manage_accounts]\nenable = false\n",
            ),
            false => (String::new(), ""),
        };
        let Settings { top, registry, tables } = settings;
        let config = root.join("etc/regctl/instance.toml");
        let folder = config.parent().context("a file is in a folder")?;
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
        file::write(
            &config,
            &format!(
                "{top}[registry]\nlog_level = \"error\"\n{registry}{account}{tables}\
                 [registry.storage.filesystem]\nrootdirectory = \"storage\"\n{accounts}"
            ),
        )?;
        let path = root.display().to_string();
        Self::start(regctl, &["--root", &path, "run"], address, root)
    }

    /// Runs it, and waits until it answers.
    pub(super) fn start(
        file: &Path,
        arguments: &[&str],
        address: SocketAddr,
        folder: &Path,
    ) -> Result<Self> {
        let mut command = program::command(file);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            command.spawn().with_context(|| format!("failed to start `{}`", file.display()))?;
        let mut running = Self { child, address, folder: folder.to_owned() };
        running.wait_until_ready()?;
        Ok(running)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            let answer = Connection::open(self.address)
                .and_then(|mut connection| connection.send(Request::new("GET", READY), |_| Ok(())));
            if answer.is_ok_and(|head| head.status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("failed to wait for a server")? {
                bail!("the server of `{}` ended at its start ({status})", self.folder.display());
            }
            ensure!(
                began.elapsed() < START_LIMIT,
                "the server does not answer at {}",
                self.address
            );
            thread::sleep(POLL);
        }
    }

    pub(super) fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        process::terminate(self.child.id())?;
        let asked = Instant::now();
        while self.child.try_wait().context("failed to wait for a server")?.is_none() {
            ensure!(asked.elapsed() < STOP_LIMIT, "`{}` does not end", self.folder.display());
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends what it runs when it is asked to, and not when it is killed; a destructor has no one to tell.
        let _ = self.end();
    }
}
