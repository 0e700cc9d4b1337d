//! A large blob through the nginx that regctl runs, beside an nginx that serves the same file by itself.

use std::{fs, path::Path, time::Instant};

use anyhow::{Context, Result};

use super::{
    client::Connection,
    content::Pattern,
    pair::Side,
    push, rows,
    run::Bench,
    running::{Running, Settings},
    servers::{blob_folder, free_address},
    stats::Series,
    transfer,
};
use crate::sys::{file, process};

const REPOSITORY: &str = "bench/nginx";

pub(crate) fn pull(bench: &mut Bench) -> Result<Vec<Series>> {
    let pattern = Pattern::new(bench.scale.large_bytes);
    let root = bench.scratch.path().join("instance");
    let instance = instance(&bench.programs.ours.file, &root)?;
    let blob = pattern.blob();
    push::monolithic(&mut Connection::open(instance.address)?, REPOSITORY, &blob)?;
    let storage = root.join("storage/docker/registry/v2");
    let bytes = blob_folder(&storage, &blob.digest)?.join("data");
    let alone = alone_with(&bench.scratch.path().join("alone"), &bytes, &blob.digest)?;
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

/// Runs an instance whose users come through nginx.
fn instance(regctl: &Path, root: &Path) -> Result<Running> {
    let (front, back) = (free_address()?, free_address()?);
    let settings = Settings {
        top: &format!("registry_external_url = \"http://{front}\"\n"),
        registry: &format!("registry_http_addr = \"{back}\"\n"),
        tables: "[registry.nginx]\nenable = true\n",
    };
    Running::instance(regctl, root, front, settings)
}

/// Runs an nginx that has nothing but the file, and says of it what is checked.
fn alone_with(folder: &Path, bytes: &Path, digest: &str) -> Result<Running> {
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
    Running::start(Path::new("nginx"), &["-c", &path], address, folder)
}
