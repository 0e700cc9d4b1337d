//! As root on a host of the test's own: nginx's workers, who are somebody else than the registry, send large blobs to a
//! real client themselves.

use std::{fs, os::unix::fs::MetadataExt as _};

use super::sendfile::sent_by;
use crate::{
    clients::skopeo,
    support::{
        Host, Layout, free_port,
        http::{Client, Request},
    },
};

/// Blobs below this are sent by the registry.
const LARGE: usize = 64 * 1024;

/// The accounts that processes with this in their command line run as.
fn accounts(host: &Host, words: &str) -> Vec<u32> {
    let own = host.root().to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let is_it = |path: &std::path::PathBuf| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        // Processes of the host see its folders, whose names say nothing.
        let mounts = fs::read_to_string(path.join("mountinfo")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(words) && mounts.contains(own)
    };
    processes.filter(is_it).filter_map(|path| Some(fs::metadata(path).ok()?.uid())).collect()
}

#[test]
#[ignore = "needs root, mount, nginx and skopeo: run cargo xtask test"]
fn skopeo_pulls_an_image_whose_layers_nginx_s_workers_send() {
    let [nginx, registry] = [free_port(), free_port()];
    let host = Host::with_systemd(&format!(
        "registry_external_url = \"http://localhost:{nginx}\"\n[registry]\n\
         registry_http_addr = \"127.0.0.1:{registry}\"\n[registry.nginx]\nenable = true\n"
    ));
    let ran = host.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let vhost = fs::read_to_string(host.path("var/opt/regctl/nginx/conf/registry.conf")).unwrap();
    assert!(vhost.contains("sendfile on;"), "{vhost}");
    let image = Layout::shared();
    let name = format!("docker://localhost:{nginx}/group/app:v1");
    skopeo::copy(&[], &image.name("amd64"), &name);

    let manifest = image.document(&image.digest("amd64"));
    let layers = manifest["layers"].as_array().unwrap();
    let sizes: Vec<_> = layers.iter().map(|it| it["size"].as_u64().unwrap()).collect();
    assert!(sizes.iter().all(|size| *size > LARGE as u64), "{sizes:?}");

    let socket = host.path("run/regctl/registry.sock");
    let (before, folder) = (sent_by(&socket), tempfile::tempdir().unwrap());
    let pulled = Layout::at(folder.path().join("layout"));
    skopeo::copy(&[], &name, &pulled.name("v1"));
    let sent = sent_by(&socket) - before;
    let (pushed, pulled) = (image.blobs(), pulled.blobs());
    assert_eq!(pulled.len(), 2 + layers.len());
    assert!(pulled.iter().all(|(name, bytes)| pushed[name] == *bytes));
    // The registry itself has sent less than the smallest layer: the manifest, the config, and answers without bodies.
    assert!(sent < *sizes.iter().min().unwrap(), "{sent} of {sizes:?}");
    // Asked as nginx asks, it says where the file is, and sends no byte of it.
    let proof = "proxy_set_header X-Regctl-Sendfile ";
    let mut proofs = vhost.lines().filter_map(|line| line.trim().strip_prefix(proof));
    let secret = proofs.next().unwrap().trim_matches(['"', ';']).to_owned();
    assert!(secret.len() >= 16, "{vhost}");
    let mut client = Client::new(registry);
    for layer in layers {
        let digest = layer["digest"].as_str().unwrap();
        let request = Request::get(format!("/v2/group/app/blobs/{digest}"));
        let answer = client.ask(&request.header("X-Regctl-Sendfile", &secret)).expect(200);
        let (_, hex) = digest.split_once(':').unwrap();
        assert!(answer.header("x-accel-redirect").unwrap().ends_with(&format!("/{hex}/data")));
        assert!(answer.body.is_empty(), "{digest}");
    }
    // Its access log has a pull of each layer nevertheless.
    let log = fs::read_dir(host.path("var/log/regctl/registry")).unwrap();
    let log: String =
        log.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok()).collect();
    for layer in layers {
        let digest = layer["digest"].as_str().unwrap();
        let line = format!("GET /v2/group/app/blobs/{digest}");
        assert!(log.contains(&line), "{line}\n{log}");
    }

    // Neither the workers nor the registry are root, and they are not the same.
    let workers = accounts(&host, "nginx: worker process");
    let data = host.path("var/opt/regctl/storage/docker");
    let owner = fs::metadata(data).unwrap().uid();
    assert!(!workers.is_empty(), "nginx has no workers");
    assert!(workers.iter().all(|uid| *uid != 0 && *uid != owner), "{workers:?}, {owner}");
    assert_ne!(owner, 0);
}
