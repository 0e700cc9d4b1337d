//! skopeo with passwords and with tokens, from `login` on.

use std::{fs, path::Path, sync::Arc};

use serde_json::json;

use super::fixture::{Registry, htpasswd, token};
use crate::support::{
    Layout,
    issuer::Issuer,
    program::{program, run, succeed},
};

/// Runs skopeo with a file of credentials of its own.
fn skopeo(folder: &Path, arguments: &[&str]) -> String {
    let mut command = program("skopeo", arguments);
    succeed(command.env("REGISTRY_AUTH_FILE", folder.join("auth.json")))
}

fn push_and_pull(folder: &Path, port: u16) {
    let image = Layout::shared();
    let pulled = Layout::at(folder.join("layout"));
    let name = format!("docker://127.0.0.1:{port}/group/app:v1");
    let other = format!("docker://127.0.0.1:{port}/group/other:v1");
    let copy = |from: &str, to: &str| {
        let insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        skopeo(folder, &[&["copy", "--quiet"], &insecure[..], &[from, to]].concat());
    };
    copy(&image.name("amd64"), &name);
    copy(&name, &other);
    copy(&other, &pulled.name("amd64"));
    assert_eq!(pulled.digest("amd64"), image.digest("amd64"));
}

#[test]
#[ignore = "needs skopeo, htpasswd: run cargo xtask test"]
fn skopeo_logs_in_with_a_password_of_apaches_program() {
    let line = run("htpasswd", &["-nbB", "carol", "pass:word"]);
    let registry = Registry::start(|world| htpasswd(world, &format!("{line}\n")));
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", registry.port);
    let login = |password: &str| {
        let arguments =
            ["login", "--tls-verify=false", "-u", "carol", "-p", password, address.as_str()];
        let mut command = program("skopeo", &arguments);
        command.env("REGISTRY_AUTH_FILE", folder.path().join("auth.json"));
        command.output().unwrap().status.success()
    };
    assert!(!login("wrong"));
    assert!(login("pass:word"));
    push_and_pull(folder.path(), registry.port);
    // Apache's program writes the file in place, while the registry reads it.
    let path = registry.world.path("htpasswd");
    run("htpasswd", &["-bB", path.to_str().unwrap(), "carol", "another"]);
    assert!(!login("pass:word"));
    assert!(login("another"));
    let access = registry.stop().stdout;
    assert!(access.contains("127.0.0.1 - carol ["), "{access}");
}

#[test]
#[ignore = "needs skopeo: run cargo xtask test"]
fn skopeo_gets_tokens_and_mounts_with_them() {
    let issuer = Arc::new(Issuer::new());
    let realm = issuer.serve();
    let registry = Registry::start(|world| {
        let mut auth = token(world, &issuer);
        auth["token"]["realm"] = json!(realm);
        auth
    });
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("auth.json"), "{}").unwrap();
    push_and_pull(folder.path(), registry.port);
    let access = registry.stop().stdout;
    let mounted = access.lines().find(|line| line.contains("?from=") || line.contains("mount="));
    assert!(mounted.is_some_and(|line| line.contains("\" 201 ")), "{access}");
}
