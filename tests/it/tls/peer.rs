//! Debian's `docker-registry` with the `config.yml` of an instance, on the instance's storage: each serves what was
//! pushed to the other, whatever the instance says.

use std::{fs, sync::Arc};

use nix::sys::signal::Signal;

use crate::support::{
    Layout, Peer, World, free_port,
    issuer::Issuer,
    program::{program, succeed},
};

const CREDENTIALS: &str = "ann:secret";

/// What an instance.toml says: above the tables, in [registry], and below it.
#[derive(Debug, Default)]
struct Class {
    top: String,
    registry: String,
    tables: String,
    /// Added when there is something to pull.
    later: String,
}

/// An instance that is stopped, and where it listens.
struct Instance {
    world: World,
    port: u16,
}

impl Instance {
    fn new(class: &Class) -> Self {
        let Class { top, registry, tables, .. } = class;
        let port = free_port();
        let text = format!(
            "{top}[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n{registry}{tables}"
        );
        let world = World::with(&text);
        fs::write(world.path("auth.json"), "{}").unwrap();
        Self { world, port }
    }

    /// Runs skopeo against whoever listens at a port, with the user's credentials or without.
    fn copy(&self, from: &str, to: &str, has_users: bool) -> bool {
        let mut arguments =
            vec!["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"];
        if has_users {
            let end = if from.starts_with("docker:") { "--src-creds" } else { "--dest-creds" };
            arguments.extend([end, CREDENTIALS]);
        }
        arguments.extend([from, to]);
        let mut command = program("skopeo", &arguments);
        let output = command.env("REGISTRY_AUTH_FILE", self.world.path("auth.json")).output();
        output.unwrap().status.success()
    }

    fn push(&self, port: u16, tag: &str, has_users: bool) -> bool {
        let name = format!("docker://127.0.0.1:{port}/group/app:{tag}");
        self.copy(&Layout::shared().name("amd64"), &name, has_users)
    }

    /// Pulls what was pushed, with every byte.
    #[track_caller]
    fn pull(&self, port: u16, tag: &str, has_users: bool) {
        let folder = tempfile::tempdir().unwrap();
        let pulled = Layout::at(folder.path().join("layout"));
        let name = format!("docker://127.0.0.1:{port}/group/app:{tag}");
        assert!(self.copy(&name, &pulled.name("amd64"), has_users), "{tag} cannot be pulled");
        assert_eq!(pulled.digest("amd64"), Layout::shared().digest("amd64"));
    }
}

/// Has both registries serve the storage in turns.
#[track_caller]
fn take_turns(class: &Class, takes_pushes: bool) {
    let has_users = class.tables.contains("htpasswd");
    let instance = Instance::new(class);
    let world = &instance.world;
    if has_users {
        add_user(world);
    }
    let server = world.serve(&["run"]);
    assert!(instance.push(instance.port, "ours", has_users), "{class:?}");
    assert_eq!(server.stop(Signal::SIGTERM).exit, 0);
    let toml = world.path("etc/regctl/instance.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, format!("{text}{}", class.later)).unwrap();
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{class:?}: {}", ran.stderr);

    let peer = Peer::rendered(world);
    instance.pull(peer.port(), "ours", has_users);
    assert_eq!(instance.push(peer.port(), "theirs", has_users), takes_pushes, "{class:?}");
    drop(peer);

    let server = world.serve(&["run"]);
    instance.pull(instance.port, if takes_pushes { "theirs" } else { "ours" }, has_users);
    assert_eq!(instance.push(instance.port, "again", has_users), takes_pushes, "{class:?}");
    assert_eq!(server.stop(Signal::SIGTERM).exit, 0);
}

/// Writes the user as Apache's program does.
fn add_user(world: &World) {
    let (name, password) = CREDENTIALS.split_once(':').unwrap();
    let path = world.path("etc/regctl/htpasswd");
    let arguments = ["-cbB", path.to_str().unwrap(), name, password];
    succeed(&mut program("htpasswd", &arguments));
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn debians_registry_takes_the_defaults() {
    take_turns(&Class::default(), true);
}

#[test]
#[ignore = "needs docker-registry, skopeo and htpasswd: run cargo xtask test"]
fn debians_registry_takes_the_file_of_users() {
    let tables = "[registry.auth.htpasswd]\nrealm = \"Registry\"\n".to_owned();
    take_turns(&Class { tables, ..Class::default() }, true);
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn debians_registry_takes_the_tokens_of_gitlab() {
    let issuer = Arc::new(Issuer::new());
    let realm = issuer.serve();
    let (origin, _) = realm.split_once("/jwt/auth").unwrap();
    let class = Class {
        top: "external_url = \"https://gitlab.example.com\"\n".to_owned(),
        registry: format!(
            "token_realm = \"{origin}\"\ninternal_key = '''\n{}'''\ninternal_certificate = '''\n{}'''\n",
            issuer.key(),
            issuer.certificate()
        ),
        tables: format!("[gitlab_rails]\nregistry_issuer = \"{}\"\n", Issuer::NAME),
        later: String::new(),
    };
    take_turns(&class, true);
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn debians_registry_takes_no_pushes_either() {
    let later = "[registry.storage.maintenance.readonly]\nenabled = true\n".to_owned();
    take_turns(&Class { later, ..Class::default() }, false);
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn debians_registry_takes_every_other_setting() {
    let class = Class {
        registry: r#"log_formatter = "json"
http_draintimeout = "1m"
storage_delete_enabled = false
env = { REGISTRY_LOG_LEVEL = "info", REGISTRY_HTTP_RELATIVEURLS = true }
"#
        .to_owned(),
        tables: r#"
[registry.http]
relativeurls = true
headers = { X-Own = ["one", "two: \"three\""], X-Content-Type-Options = false }

[registry.http.h2c]
enabled = true

[registry.log]
fields = { site = "berlin: \"west\"", rack = 7, environment = false }

[registry.log.accesslog]
disabled = true

[registry.storage.filesystem]
rootdirectory = "a folder: with 'odd' letters"
maxthreads = 30

[registry.storage.maintenance.uploadpurging]
age = "2d"
interval = "90s"
dryrun = true
"#
        .to_owned(),
        ..Class::default()
    };
    take_turns(&class, true);
}
