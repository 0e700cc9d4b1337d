//! Three nodes over one bucket, behind an nginx that sends each request to the next one: with the settings that README
//! has for it, but for addresses and files.

use std::{
    fs,
    io::Write as _,
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use nix::sys::signal::Signal;
use oci::{Algorithm, Digest};
use reqwest::{
    Certificate,
    blocking::{Client, RequestBuilder, Response},
    header::{CONTENT_TYPE, LOCATION},
};
use serde_json::json;
use tempfile::TempDir;

use super::bucket::Bucket;
use crate::{
    clients::{Way, skopeo},
    faults::eventually,
    interop::wire::{MANIFEST, expect},
    support::{Layout, Server, World, certificate::Authority, free_port, seaweed::Seaweed},
};

const README: &str = include_str!("../../../README.md");

/// The certificate of whoever has signed the balancer's.
const AUTHORITY: &str = "trusted/ca.crt";

const USER: &str = "ann";
const PASSWORD: &str = "ann's own password";

/// A block of README's section on several nodes.
fn block(language: &str) -> String {
    let (_, section) = README.split_once("\n## Growing past one machine\n").unwrap();
    let (_, block) = section.split_once(&format!("\n```{language}\n")).unwrap();
    block.split_once("\n```\n").unwrap().0.to_owned()
}

/// The text with each of these put in the place of the other, which must be there.
fn put(text: &str, places: &[(&str, &str)]) -> String {
    places.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "README has no `{from}` in:\n{text}");
        text.replace(from, to)
    })
}

/// A machine that serves the bucket.
struct Node {
    world: World,
    server: Option<Server>,
    port: u16,
}

/// What users see: the balancer, and what stands behind it.
struct Cluster {
    nodes: Vec<Node>,
    balancer: Child,
    port: u16,
    folder: TempDir,
    client: Client,
}

impl Cluster {
    fn start(bucket: &Bucket) -> Self {
        let (folder, port, authority) =
            (tempfile::tempdir().unwrap(), free_port(), Authority::new());
        fs::write(folder.path().join("secret"), Seaweed::SECRET_KEY).unwrap();
        fs::set_permissions(folder.path().join("secret"), fs::Permissions::from_mode(0o600))
            .unwrap();
        // A folder of its own: skopeo takes other certificates beside it for those of clients.
        fs::create_dir(folder.path().join("trusted")).unwrap();
        fs::write(folder.path().join(AUTHORITY), &authority.certificate).unwrap();
        let mut nodes: Vec<Node> = Vec::new();
        for _ in 0..3 {
            let node = Node::start(bucket, folder.path(), port, nodes.first());
            nodes.push(node);
        }
        let trusted = Certificate::from_pem(authority.certificate.as_bytes()).unwrap();
        let client = Client::builder().add_root_certificate(trusted).pool_max_idle_per_host(0);
        let balancer = balance(folder.path(), port, &authority, &nodes);
        let cluster = Self { nodes, balancer, port, folder, client: client.build().unwrap() };
        eventually("the balancer listens", || {
            TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|error| error.to_string())
        });
        cluster
    }

    /// A request as the user, by way of the balancer.
    fn ask(
        &self,
        ask: impl FnOnce(&Client, String) -> RequestBuilder,
        path: &str,
    ) -> RequestBuilder {
        ask(&self.client, format!("{}{path}", self.origin())).basic_auth(USER, Some(PASSWORD))
    }

    /// A request to one node.
    fn at(&self, node: usize, path: &str) -> RequestBuilder {
        let url = format!("http://127.0.0.1:{}{path}", self.nodes[node].port);
        self.client.get(url).basic_auth(USER, Some(PASSWORD))
    }

    /// Pushes an image whose blobs nobody else has; says why it was not acknowledged.
    fn push(&self, repository: &str, tag: &str) -> Result<Digest, String> {
        let sent = |request: RequestBuilder| match request.send() {
            Ok(answer) if answer.status() == 201 => Ok(()),
            Ok(answer) => Err(format!("{}: {}", answer.status(), answer.url())),
            Err(error) => Err(error.to_string()),
        };
        let blob = |text: String| {
            let digest = Digest::of(Algorithm::Sha256, text.as_bytes());
            let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
            let descriptor = json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": digest.to_string(),
                "size": text.len(),
            });
            sent(self.ask(Client::post, &path).body(text)).map(|()| descriptor)
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blob(format!("{{\"of\": \"{repository}:{tag}\"}}"))?,
            "layers": [blob(format!("the layer of {repository}:{tag}"))?],
        });
        let manifest = manifest.to_string();
        let digest = Digest::of(Algorithm::Sha256, manifest.as_bytes());
        let path = format!("/v2/{repository}/manifests/{tag}");
        sent(self.ask(Client::put, &path).header(CONTENT_TYPE, MANIFEST).body(manifest))?;
        Ok(digest)
    }

    /// How many requests of this method a node has answered.
    fn answered(&self, node: usize, method: &str) -> usize {
        let log = self.nodes[node].world.path("var/log/regctl/registry/current");
        let log = fs::read_to_string(log).unwrap_or_default();
        log.lines().filter(|line| line.contains(&format!("\"{method} /v2/"))).count()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.balancer.kill();
        let _ = self.balancer.wait();
    }
}

impl Node {
    /// A node with the settings of README; all but the first have its secrets and users.
    fn start(bucket: &Bucket, folder: &Path, users_port: u16, first: Option<&Self>) -> Self {
        let port = free_port();
        let secret = folder.join("secret");
        let text = put(
            &block("toml"),
            &[
                ("registry.example.com", &format!("localhost:{users_port}")),
                ("0.0.0.0:5000", &format!("127.0.0.1:{port}")),
                ("\"registry\"", &format!("\"{}\"", Seaweed::BUCKET)),
                ("https://s3.example.com", &Seaweed::shared().endpoint("http")),
                ("GK…", Seaweed::ACCESS_KEY),
                ("/etc/regctl/s3.secret", secret.to_str().unwrap()),
            ],
        );
        let world = World::with(&format!("{text}\nrootdirectory = \"{}\"\n", bucket.root));
        match first {
            None => {
                assert_eq!(world.run(&["generate-secrets"]).exit, 0);
                let mut add = world.command(&["user", "add", USER, "--password-stdin"]);
                let mut add = add.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
                add.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
                assert!(add.wait().unwrap().success());
            }
            Some(first) => {
                for file in ["etc/regctl/secrets.json", "etc/regctl/htpasswd"] {
                    fs::copy(first.world.path(file), world.path(file)).unwrap();
                }
            }
        }
        let server = Some(world.serve(&["run"]));
        Self { world, server, port }
    }
}

/// Starts nginx with README's part for it.
fn balance(folder: &Path, port: u16, authority: &Authority, nodes: &[Node]) -> Child {
    let pair = authority.issue("localhost");
    for (end, text) in [("crt", &pair.certificate), ("key", &pair.key)] {
        fs::write(folder.join(format!("front.{end}")), text).unwrap();
    }
    let address = |node: usize| format!("127.0.0.1:{}", nodes[node].port);
    let file = |end: &str| folder.join(format!("front.{end}")).display().to_string();
    let text = put(
        &block("nginx"),
        &[
            ("node1.example.com:5000", &address(0)),
            ("node2.example.com:5000", &address(1)),
            ("node3.example.com:5000", &address(2)),
            ("listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl")),
            ("/etc/ssl/registry.example.com.crt", &file("crt")),
            ("/etc/ssl/registry.example.com.key", &file("key")),
            ("registry.example.com", "localhost"),
        ],
    );
    let own = folder.display();
    let text = format!(
        "daemon off;\nmaster_process off;\npid {own}/pid;\nerror_log {own}/error.log;\nevents {{}}\nhttp {{\n\
         access_log off;\nclient_body_temp_path {own}/body;\nproxy_temp_path {own}/proxy;\n\
         fastcgi_temp_path {own}/fastcgi;\nuwsgi_temp_path {own}/uwsgi;\nscgi_temp_path {own}/scgi;\n{text}\n}}\n"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, text).unwrap();
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(folder).arg("-c").arg(path).arg("-e").arg(folder.join("error.log"));
    nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Way for Cluster {
    fn image(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }

    fn origin(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn flags_of_curl(&self) -> Vec<String> {
        vec!["--cacert".to_owned(), self.folder.path().join(AUTHORITY).display().to_string()]
    }

    fn flags(&self, end: &str) -> Vec<String> {
        vec![
            format!("--{end}cert-dir={}", self.folder.path().join("trusted").display()),
            format!("--{end}creds={USER}:{PASSWORD}"),
        ]
    }

    fn user(&self) -> Option<String> {
        Some(format!("{USER}:{PASSWORD}"))
    }
}

fn location(answer: &Response) -> String {
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs nginx, weed and skopeo: run cargo xtask test"]
fn a_push_goes_over_all_nodes_and_none_serves_what_another_has_deleted() {
    let bucket = Bucket::new();
    let cluster = Cluster::start(&bucket);
    let image = Layout::shared();
    let name = format!("docker://{}", cluster.image("group/app:v1"));
    skopeo::transfer(&cluster, &["--all"], &image.name("multi"), &name);
    let folder = tempfile::tempdir().unwrap();
    let pulled = Layout::at(folder.path().join("layout"));
    skopeo::transfer(&cluster, &["--all"], &name, &pulled.name("multi"));
    assert_eq!(pulled.blobs(), image.blobs());

    // One upload, each request of which another node gets.
    let whole: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = Digest::of(Algorithm::Sha256, &whole);
    let begin = cluster.ask(Client::post, "/v2/group/app/blobs/uploads/");
    let mut session = location(&expect(202, begin));
    for chunk in whole.chunks(whole.len() / 5 + 1) {
        assert!(session.starts_with(&cluster.origin()), "{session}");
        let patch = cluster.client.patch(&session).body(chunk.to_vec());
        session = location(&expect(202, patch.basic_auth(USER, Some(PASSWORD))));
    }
    let put = cluster.client.put(format!("{session}&digest={digest}"));
    expect(201, put.basic_auth(USER, Some(PASSWORD)));
    for node in 0..3 {
        let found = expect(200, cluster.at(node, &format!("/v2/group/app/blobs/{digest}")));
        assert!(found.bytes().unwrap() == whole);
    }

    // What is deleted at one node is gone at all of them, though each has just served it.
    let manifest = format!("/v2/group/app/manifests/{}", image.digest("multi"));
    let blob = format!("/v2/group/app/blobs/{digest}");
    for path in [&manifest, &blob] {
        (0..3).for_each(|node| drop(expect(200, cluster.at(node, path))));
        expect(202, cluster.ask(Client::delete, path));
        (0..3).for_each(|node| drop(expect(404, cluster.at(node, path))));
    }
    (0..3).for_each(|node| drop(expect(404, cluster.at(node, "/v2/group/app/manifests/v1"))));
    for node in 0..3 {
        eventually("every node has taken a part of the upload", || {
            match cluster.answered(node, "PATCH") {
                0 => Err(format!("node {node} has had no chunk")),
                _ => Ok(()),
            }
        });
    }
}

#[test]
#[ignore = "needs nginx and weed: run cargo xtask test"]
fn a_node_that_is_killed_loses_nothing_that_was_acknowledged() {
    const CLIENTS: u32 = 4;
    const IMAGES: u32 = 12;
    let bucket = Bucket::new();
    let mut cluster = Cluster::start(&bucket);
    let doomed = cluster.nodes[1].server.take().unwrap();
    let acknowledged = Mutex::new(Vec::new());
    let (count, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (cluster, acknowledged, count, failed) = (&cluster, &acknowledged, &count, &failed);
            scope.spawn(move || {
                let repository = format!("group/of-{client}");
                for number in 0..IMAGES {
                    let tag = format!("v{number}");
                    // As a client does, the whole push is tried again.
                    let digest = eventually("a push is acknowledged", || {
                        let pushed = cluster.push(&repository, &tag);
                        pushed.inspect_err(|_| _ = failed.fetch_add(1, Ordering::Relaxed))
                    });
                    acknowledged.lock().unwrap().push((repository.clone(), tag, digest));
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually("some pushes are acknowledged", || {
            let count = count.load(Ordering::Relaxed);
            if count < IMAGES { Err(format!("{count} so far")) } else { Ok(()) }
        });
        assert_ne!(doomed.stop(Signal::SIGKILL).exit, 0);
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    assert_eq!(acknowledged.len(), (CLIENTS * IMAGES) as usize);
    println!("{} of the pushes were tried again", failed.load(Ordering::Relaxed));
    for (repository, tag, digest) in acknowledged {
        for node in [0, 2] {
            let manifest =
                expect(200, cluster.at(node, &format!("/v2/{repository}/manifests/{tag}")));
            let manifest = manifest.bytes().unwrap();
            assert_eq!(Digest::of(Algorithm::Sha256, &manifest), digest);
            let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
            for named in [&manifest["config"]["digest"], &manifest["layers"][0]["digest"]] {
                let named = named.as_str().unwrap();
                let blob =
                    expect(200, cluster.at(node, &format!("/v2/{repository}/blobs/{named}")));
                let found = Digest::of(Algorithm::Sha256, &blob.bytes().unwrap());
                assert_eq!(found.to_string(), named);
            }
        }
    }
}
