//! A real Docker daemon that checks certificates: `certs.d` names the authority, `docker login` the user.

use std::{
    io::Write as _,
    process::{Output, Stdio},
};

use super::fixture::{Front, Lines, PASSWORD, Site, USER};
use crate::{
    clients::{docker::a_list_is_made, skopeo},
    support::{Docker, Layout, Network, program},
};

/// Logs in, or tries to.
pub(super) fn login(docker: &Docker, registry: &str, password: &str) -> Output {
    let mut command = docker.command(&["login", "--username", USER, "--password-stdin", registry]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Gives the daemon an image under a name.
pub(super) fn load(docker: &Docker, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("image.tar");
    let destination = format!("docker-archive:{}:{name}", archive.display());
    skopeo::copy(&[], &Layout::shared().name("amd64"), &destination);
    docker.run(&["load", "--quiet", "--input", archive.to_str().unwrap()]);
}

/// Has the daemon trust the site's authority, as its manual says.
pub(super) fn trust(site: &Site) {
    let path = format!("docker/certs.d/{}/ca.crt", site.name);
    site.network().write(&path, &site.authority.certificate);
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Begins an upload as curl does, and returns its `Location`.
fn location(site: &Site) -> String {
    let url = format!("https://{}/v2/app/blobs/uploads/", site.name);
    let authority = format!("/etc/docker/certs.d/{}/ca.crt", site.name);
    let user = format!("{USER}:{PASSWORD}");
    let show = ["-sS", "-o", "/dev/null", "-w", "%header{location}", "-X", "POST"];
    let trust = ["--cacert", &authority, "--user", &user, &url];
    let curl = program::program("curl", &[&show[..], &trust].concat());
    program::succeed(&mut site.network().enter(&curl))
}

/// Logs in, pushes, and pulls again what was pushed.
fn works(site: &Site, docker: &Docker) {
    let image = site.image("group/project/app:v1");
    load(docker, &image);
    let stranger = login(docker, &site.name, PASSWORD);
    assert!(said(&stranger).contains("certificate signed by unknown authority"), "{stranger:?}");
    trust(site);
    let refused = docker.command(&["push", &image]).output().unwrap();
    assert!(said(&refused).contains("no basic auth credentials"), "{refused:?}");
    let wrong = login(docker, &site.name, "wrong");
    assert!(!wrong.status.success() && said(&wrong).contains("401 Unauthorized"), "{wrong:?}");
    let right = login(docker, &site.name, PASSWORD);
    assert!(said(&right).contains("Login Succeeded"), "{right:?}");
    let id = docker.id(&image);
    docker.run(&["push", &image]);
    docker.run(&["rmi", "--force", &id]);
    docker.run(&["pull", &image]);
    assert_eq!(docker.id(&image), id);
}

#[test]
#[ignore = "needs nginx, dockerd, docker, skopeo, ip and nsenter: run cargo xtask test"]
fn docker_logs_in_pushes_and_pulls_at_the_schemes_own_port_and_at_another() {
    for port in [443, 5050] {
        let site = Site::within(Network::start(), port, Lines::default());
        works(&site, &Docker::within(site.network()));
        let start = format!("https://{}/v2/", site.name);
        let location = location(&site);
        assert!(location.starts_with(&start), "{location}");
    }
}

#[test]
#[ignore = "needs nginx, dockerd, docker, skopeo, ip and nsenter: run cargo xtask test"]
fn docker_follows_relative_locations() {
    let registry = "env = { REGISTRY_HTTP_RELATIVEURLS = true }";
    let site = Site::within(Network::start(), 5050, Lines { registry, ..Lines::default() });
    works(&site, &Docker::within(site.network()));
    assert!(location(&site).starts_with("/v2/"));
}

#[test]
#[ignore = "needs dockerd, docker, skopeo, ip and nsenter: run cargo xtask test"]
fn docker_logs_in_pushes_and_pulls_where_the_registry_itself_ends_tls() {
    for port in [443, 5050] {
        let site = Site::direct_within(Network::start(), port, Lines::default());
        works(&site, &Docker::within(site.network()));
        let start = format!("https://{}/v2/", site.name);
        let location = location(&site);
        assert!(location.starts_with(&start), "{location}");
    }
}

/// Has docker make a list of two platforms at a site that it trusts and is logged in at.
fn makes_a_list(site: &Site) {
    let docker = Docker::within(site.network());
    trust(site);
    assert!(login(&docker, &site.name, PASSWORD).status.success());
    // Lists are the program's own work, not the daemon's: it is in the network too.
    let ask = |arguments: &[&str]| {
        program::succeed(&mut site.network().enter(&docker.command(arguments)))
    };
    a_list_is_made(&|name| site.image(name), &docker, &ask);
}

#[test]
#[ignore = "needs nginx, dockerd, docker, skopeo, ip and nsenter: run cargo xtask test"]
fn docker_makes_a_manifest_list_of_two_platforms() {
    makes_a_list(&Site::within(Network::start(), 5050, Lines::default()));
}

#[test]
#[ignore = "needs dockerd, docker, skopeo, ip and nsenter: run cargo xtask test"]
fn docker_makes_a_manifest_list_where_the_registry_itself_ends_tls() {
    makes_a_list(&Site::direct_within(Network::start(), 5050, Lines::default()));
}

#[test]
#[ignore = "needs nginx, dockerd, docker, skopeo, ip and nsenter: run cargo xtask test"]
fn docker_makes_a_manifest_list_with_tokens() {
    for front in [Front::Nginx, Front::Registry] {
        makes_a_list(&Site::with_tokens_within(Network::start(), front));
    }
}
