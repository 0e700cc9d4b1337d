//! A large blob through the nginx that regctl runs, beside an nginx that serves the same file by itself.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    client::{Connection, Request},
    content::Pattern,
    pair::Side,
    push, rows,
    run::Bench,
    servers::{blob_folder, free_address},
    stats::Series,
    transfer,
};
use crate::sys::{file, process, program};

const REPOSITORY: &str = "bench/nginx";
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

pub(crate) fn pull(bench: &mut Bench) -> Result<Vec<Series>> {
    let pattern = Pattern::new(bench.scale.large_bytes);
    let root = bench.scratch.path().join("instance");
    let instance = Running::instance(&bench.programs.ours.file, &root)?;
    let blob = pattern.blob();
    push::monolithic(&mut Connection::open(instance.address)?, REPOSITORY, &blob)?;
    let storage = root.join("storage/docker/registry/v2");
    let bytes = blob_folder(&storage, &blob.digest)?.join("data");
    let alone = Running::alone(&bench.scratch.path().join("alone"), &bytes, &blob.digest)?;
    let target = format!("/v2/{REPOSITORY}/blobs/{}", blob.digest);
    let [rate] = bench.turns(|side| {
        let address = match side {
            Side::Ours => instance.address,
            Side::Peer => alone.address,
        };
        let mut connection = Connection::open(address)?;
        let began = Instant::now();
        transfer::discarded(&mut connection, &target, &blob.digest, pattern.size())?;
        Ok([rows::megabytes(pattern.size()) / began.elapsed().as_secs_f64()])
    })?;
    alone.stop()?;
    instance.stop()?;
    let what = bench.scale.large();
    let title = format!("{what} pull through nginx beside nginx with the file alone, MB/s");
    Ok(vec![Series { title, samples: rate, bar: Some(rows::PULL_NGINX) }])
}

/// A program that serves HTTP, and that ends with the value.
#[derive(Debug)]
struct Running {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Running {
    /// Runs an instance whose users come through nginx.
    fn instance(regctl: &Path, root: &Path) -> Result<Self> {
        let (front, back) = (free_address()?, free_address()?);
        let config = root.join("etc/regctl/instance.toml");
        let folder = config.parent().context("a file is in a folder")?;
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
        file::write(
            &config,
            &format!(
                "registry_external_url = \"http://{front}\"\n\
                 [registry]\nregistry_http_addr = \"{back}\"\nlog_level = \"error\"\n\
                 [registry.nginx]\nenable = true\n\
                 [registry.storage.filesystem]\nrootdirectory = \"storage\"\n"
            ),
        )?;
        let path = root.display().to_string();
        Self::start(regctl, &["--root", &path, "run"], front, root)
    }

    /// Runs an nginx that has nothing but the file, and says of it what is checked.
    fn alone(folder: &Path, bytes: &Path, digest: &str) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
        let address = free_address()?;
        let config = folder.join("nginx.conf");
        // Where root runs it, its workers would be somebody who may not enter this folder.
        let user = if process::is_root() { "user root;\n" } else { "" };
        let (here, bytes) = (folder.display(), bytes.display());
        file::write(
            &config,
            &format!(
                "{user}daemon off;\npid \"{here}/pid\";\nerror_log \"{here}/log\";\nevents {{}}\n\
                 http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  \
                 client_body_temp_path \"{here}\";\n  proxy_temp_path \"{here}\";\n  \
                 fastcgi_temp_path \"{here}\";\n  uwsgi_temp_path \"{here}\";\n  \
                 scgi_temp_path \"{here}\";\n  server {{\n    listen {address};\n    \
                 location = / {{ return 200; }}\n    \
                 location ~ /blobs/ {{\n      root /;\n      try_files \"{bytes}\" =404;\n      \
                 add_header Docker-Content-Digest {digest};\n    }}\n  }}\n}}\n"
            ),
        )?;
        let path = config.display().to_string();
        Self::start(Path::new("nginx"), &["-c", &path], address, folder)
    }

    fn start(file: &Path, arguments: &[&str], address: SocketAddr, folder: &Path) -> Result<Self> {
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
                .and_then(|mut connection| connection.send(Request::new("GET", "/"), |_| Ok(())));
            if answer.is_ok_and(|head| head.status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("failed to wait for a server")? {
                bail!("the server of `{}` ended at its start ({status})", self.folder.display());
            }
            ensure!(began.elapsed() < START_LIMIT, "nginx does not answer at {}", self.address);
            thread::sleep(POLL);
        }
    }

    fn stop(mut self) -> Result<()> {
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
