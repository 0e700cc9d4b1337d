//! The two registries as processes: the same config.yml for both but for port and folder, the same disk, and an end
//! with the value, whatever happens.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    client::{Connection, Request},
    pair::Side,
};
use crate::sys::{
    file,
    process::{self, Memory},
    program,
};

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Short beside the milliseconds that a start takes, and long enough to leave it the processor.
const POLL: Duration = Duration::from_micros(500);

/// A program that serves a registry when `serve CONFIG` is added.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) file: PathBuf,
    pub(crate) arguments: &'static [&'static str],
}

/// How a registry runs, where that is not alone and for everybody.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Setup<'a> {
    /// The words of another command, such as strace, that runs it.
    pub(crate) wrapper: &'a [&'a str],
    /// Who may do what, as config.yml says it.
    pub(crate) auth: &'a str,
}

/// A running registry with a folder of its own, which is gone with it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) side: Side,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first 200 of `/v2/`.
    pub(crate) started_in: Duration,
    child: Child,
    folder: PathBuf,
}

impl Server {
    /// Starts a registry on a free port with an empty folder under `scratch`.
    pub(crate) fn start(
        side: Side,
        program: &Program,
        scratch: &Path,
        setup: Setup<'_>,
    ) -> Result<Self> {
        let address = free_address()?;
        let folder = scratch.join(format!("{}-{}", side.name(), address.port()));
        let config = prepare(&folder, address, setup.auth)?;
        let mut command = command(program, setup.wrapper, &config);
        command.stderr(log(&folder)?);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("failed to start `{}`", program.file.display()))?;
        let mut server = Self { side, address, started_in: Duration::ZERO, child, folder };
        server.started_in = server.wait_until_ready(started)?;
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        process::memory(self.pid())
    }

    pub(crate) fn connect(&self) -> Result<Connection> {
        Connection::open(self.address)
    }

    /// Ends the process `pid`, this server's or one under its wrapper, and waits for this server's to end.
    pub(crate) fn stop(mut self, pid: u32) -> Result<()> {
        process::terminate(pid)?;
        let asked = Instant::now();
        while self.child.try_wait().context("failed to wait for a server")?.is_none() {
            ensure!(asked.elapsed() < STOP_LIMIT, "{} does not end on TERM", self.side.name());
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Removes the bytes of a blob that is not needed again, and with them its pages in the cache: else each turn would
    /// measure how the machine finds memory that nobody has touched yet.
    pub(crate) fn forget(&self, digest: &str) -> Result<()> {
        let blob = blob_folder(&self.storage(), digest)?;
        fs::remove_dir_all(&blob).with_context(|| format!("failed to remove `{}`", blob.display()))
    }

    /// The folder that holds what the registry stores.
    pub(crate) fn storage(&self) -> PathBuf {
        self.folder.join("storage/docker/registry/v2")
    }

    fn wait_until_ready(&mut self, started: Instant) -> Result<Duration> {
        loop {
            if self.is_ready() {
                return Ok(started.elapsed());
            }
            if let Some(status) = self.child.try_wait().context("failed to wait for a server")? {
                bail!("{} ended at its start ({status}): {}", self.side.name(), self.last_words());
            }
            if started.elapsed() > START_LIMIT {
                bail!("{} does not answer: {}", self.side.name(), self.last_words());
            }
            thread::sleep(POLL);
        }
    }

    fn is_ready(&self) -> bool {
        let Ok(mut connection) = self.connect() else { return false };
        // Who has to say who they are is answered too.
        connection
            .send(Request::new("GET", "/v2/"), |_| Ok(()))
            .is_ok_and(|head| [200, 401].contains(&head.status))
    }

    fn last_words(&self) -> String {
        let log = file::read(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Under a wrapper the registry is its child, and would outlive it.
        for pid in process::children(self.pid()).unwrap_or_default() {
            let _ = process::terminate(pid);
        }
        // An ended child is no error here, and a destructor has no one to tell the rest.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder of a blob's bytes, below the one that holds what a registry stores.
pub(crate) fn blob_folder(storage: &Path, digest: &str) -> Result<PathBuf> {
    let (algorithm, hex) = digest.split_once(':').context("a digest has a colon")?;
    let prefix = hex.get(..2).context("a digest is longer")?;
    Ok(storage.join("blobs").join(algorithm).join(prefix).join(hex))
}

fn command(program: &Program, wrapper: &[&str], config: &Path) -> Command {
    let mut command = match wrapper.split_first() {
        Some((first, rest)) => {
            let mut command = program::command(first);
            command.args(rest).arg(&program.file);
            command
        }
        None => program::command(&program.file),
    };
    command.args(program.arguments).arg("serve").arg(config);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn prepare(folder: &Path, address: SocketAddr, auth: &str) -> Result<PathBuf> {
    let storage = folder.join("storage");
    fs::create_dir_all(&storage)
        .with_context(|| format!("failed to create `{}`", storage.display()))?;
    let path = folder.join("config.yml");
    file::write(&path, &(config(&storage, address) + auth))?;
    Ok(path)
}

fn log(folder: &Path) -> Result<File> {
    let path = folder.join("log");
    File::create(&path).with_context(|| format!("failed to create `{}`", path.display()))
}

/// The config.yml of both: Debian's, without its password file, and with a log that costs nothing.
pub(crate) fn config(storage: &Path, address: SocketAddr) -> String {
    format!(
        "version: 0.1\n\
         log:\n  level: error\n  accesslog:\n    disabled: true\n\
         storage:\n  \
         cache:\n    blobdescriptor: inmemory\n  \
         filesystem:\n    rootdirectory: {}\n  \
         delete:\n    enabled: true\n\
         http:\n  addr: {address}\n  secret: the-same-on-both-sides\n  \
         headers:\n    X-Content-Type-Options: [nosniff]\n",
        // A JSON string is a YAML string, whatever the path holds.
        serde_json::Value::from(storage.display().to_string()),
    )
}

/// A port that was free a moment ago; nothing else on loopback asks for it that quickly.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("failed to find a free port")?;
    listener.local_addr().context("failed to find a free port")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_names_the_address_and_quotes_the_folder() {
        let text = config(Path::new("/a b/c: d"), "127.0.0.1:5000".parse().unwrap());
        assert!(text.contains("    rootdirectory: \"/a b/c: d\"\n  delete:\n    enabled: true\n"));
        assert!(text.contains("http:\n  addr: 127.0.0.1:5000\n"));
    }

    #[test]
    fn a_program_that_ends_at_once_is_an_error_with_its_last_words() {
        let script = ["-c", "echo no such setting >&2; exit 3"];
        let program = Program { file: PathBuf::from("sh"), arguments: &[] };
        let mut wrapper = vec!["sh"];
        wrapper.extend(script);
        let scratch = std::env::temp_dir().join(format!("xtask-servers-{}", std::process::id()));
        let error = Server::start(
            Side::Ours,
            &program,
            &scratch,
            Setup { wrapper: &wrapper, ..Setup::default() },
        )
        .unwrap_err();
        assert_eq!(error.to_string(), "ours ended at its start (exit status: 3): no such setting");
        fs::remove_dir_all(&scratch).unwrap();
    }
}
