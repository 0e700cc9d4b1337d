//! A configuration that passes every check and does not run: the former one serves again, and it is said why.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
};

use super::fixture::{CONFIG_YML, Lines, SERVICES, Site, TOML, VHOST, until};
use crate::support::Ran;

const FILES: [&str; 3] = [CONFIG_YML, VHOST, SERVICES];

fn files(site: &Site) -> [String; 3] {
    FILES.map(|path| site.world.read(path))
}

/// Applies something that does not run, and looks at what is left; then mends it, and applies that.
#[track_caller]
fn undone(site: &Site, bad: &str, mend: impl FnOnce()) -> Ran {
    let (good, before) = (site.world.read(TOML), files(site));
    site.client().get("/v2/").expect(200);
    fs::write(site.world.path(TOML), bad).unwrap();
    let ran = site.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 1, "{}{}", ran.stdout, ran.stderr);
    let said = "error: the change was undone, and the former configuration serves: ";
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
    assert!(files(site) == before, "the files are not the former ones");
    site.client().get("/v2/").expect(200);
    fs::write(site.world.path(TOML), &good).unwrap();
    assert_eq!(site.reconfigure(), "nothing to change\n");
    mend();
    fs::write(site.world.path(TOML), bad).unwrap();
    site.reconfigure();
    assert!(files(site) != before);
    assert_eq!(site.reconfigure(), "nothing to change\n");
    ran
}

/// Takes a port of loopback, as some other program does.
fn taken() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_registry_whose_port_is_taken_stays_where_it_was() {
    let site = Site::start(Lines::default());
    let (other, port) = taken();
    let old = format!("127.0.0.1:{}", site.registry_port);
    let bad = site.world.read(TOML).replace(&old, &format!("127.0.0.1:{port}"));
    let ran = undone(&site, &bad, || drop(other));
    let reason = format!("registry does not serve: failed to listen on `127.0.0.1:{port}`: ");
    assert!(ran.stderr.contains(&reason), "{}", ran.stderr);
    site.client().get("/v2/").expect(200);
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_registry_that_cannot_open_its_storage_keeps_the_former_one() {
    let site = Site::start(Lines::default());
    let folder = site.world.path("elsewhere");
    // The registry stages files in a folder of this name, and here it is a file.
    let in_the_way = folder.join("docker/registry/v2/regctl");
    fs::create_dir_all(in_the_way.parent().unwrap()).unwrap();
    fs::write(&in_the_way, "").unwrap();
    let table = "[registry.storage.filesystem]\nrootdirectory = \"elsewhere\"\n";
    let bad = format!("{}\n{table}", site.world.read(TOML));
    let ran = undone(&site, &bad, || fs::remove_file(&in_the_way).unwrap());
    for words in [
        "registry does not serve: it ended with exit 1",
        "its log ends with:\n",
        "failed to open the storage in `[ROOT]/elsewhere`: failed to open `docker/registry/v2/regctl`: ",
    ] {
        assert!(ran.stderr.contains(words), "no `{words}` in:\n{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn an_nginx_whose_port_is_taken_listens_where_it_did() {
    let site = Site::start(Lines::default());
    let (other, port) = taken();
    let text = site.world.read(TOML);
    let bad = text.replace("enable = true", &format!("enable = true\nlisten_port = {port}"));
    let (good, before) = (text, files(&site));
    fs::write(site.world.path(TOML), &bad).unwrap();
    let ran = site.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 1, "{}{}", ran.stdout, ran.stderr);
    let reason = "the former configuration serves: nginx does not serve: ";
    assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("bind() to 127.0.0.1:{port} failed")), "{}", ran.stderr);
    assert!(files(&site) == before, "the files are not the former ones");
    site.client().get("/v2/").expect(200);
    drop(other);
    site.reconfigure();
    site.client().at_port(port).get("/v2/").expect(200);
    fs::write(site.world.path(TOML), good).unwrap();
    site.reconfigure();
    site.client().get("/v2/").expect(200);
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn an_nginx_whose_port_is_taken_when_it_starts_is_not_taken_for_who_listens_there() {
    let registry = "enable = true";
    let site = Site::start(Lines { registry, ..Lines::default() });
    site.edit("enable = true", "enable = false");
    site.reconfigure();
    let before = site.world.read(SERVICES);
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, site.port)).unwrap();
    site.edit("enable = false", "enable = true");
    let ran = site.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 1, "{}{}", ran.stdout, ran.stderr);
    for words in [
        "the former configuration serves: nginx does not serve: it ended with exit 1",
        &format!("bind() to 127.0.0.1:{} failed", site.port),
    ] {
        assert!(ran.stderr.contains(words), "no `{words}` in:\n{}", ran.stderr);
    }
    assert!(site.world.read(SERVICES) == before && !site.world.path(VHOST).exists());
    assert_eq!(site.pids(), [serde_json::Value::Null, serde_json::Value::Null]);
    drop(other);
    let done = site.reconfigure();
    assert!(done.ends_with("started registry\nstarted nginx\n"), "{done}");
    site.client().get("/v2/").expect(200);
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_template_that_nginx_takes_and_the_registry_does_not_is_refused_before_anything_stops() {
    let site = Site::start(Lines::default());
    let (pids, before) = (site.pids(), files(&site));
    let template = site.regctl(&["reconfigure", "--print-template", "config.yml.j2"]).stdout;
    fs::create_dir_all(site.world.path("etc/regctl/templates")).unwrap();
    let path = site.world.path("etc/regctl/templates/config.yml.j2");
    fs::write(&path, template.replace("version: 0.1", "version: 7.3")).unwrap();
    let ran = site.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("7.3"), "{}", ran.stderr);
    assert!(files(&site) == before && site.pids() == pids);
    fs::remove_file(path).unwrap();
    assert_eq!(site.reconfigure(), "nothing to change\n");
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn an_nginx_that_waits_for_its_port_takes_the_port_that_is_free() {
    let site = Site::start(Lines::default());
    let (_other, port) = taken();
    let good = site.world.read(TOML);
    // An nginx that starts tries for some seconds to get a port, and a signal would end it.
    site.edit("enable = true", &format!("enable = true\nlisten_port = {port}"));
    let mut command = site.command(&["reconfigure"]);
    let mut first = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the vhost is replaced", || site.world.read(VHOST).contains(&format!(":{port}")));
    first.kill().unwrap();
    first.wait().unwrap();
    site.regctl(&["restart", "nginx", "--no-wait"]);
    fs::write(site.world.path(TOML), &good).unwrap();
    site.reconfigure();
    site.client().get("/v2/").expect(200);
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_service_that_crashes_is_no_instance_to_which_nothing_is_to_be_done() {
    let site = Site::start(Lines::default());
    let in_the_way = site.world.path("var/opt/regctl/storage/docker/registry/v2/regctl");
    fs::create_dir_all(in_the_way.parent().unwrap()).unwrap();
    // The running registry has a folder there once it has staged something.
    let _ = fs::remove_dir_all(&in_the_way);
    fs::write(&in_the_way, "").unwrap();
    site.regctl(&["restart", "registry", "--no-wait"]);
    until("it crashes", || site.service("registry")["state"] == "crashed");
    for _ in 0..2 {
        let ran = site.regctl(&["reconfigure"]);
        assert_eq!(ran.exit, 1, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("registry does not serve"), "{}", ran.stderr);
    }
    let ran = site.regctl(&["reconfigure", "--dry-run", "--exit-code"]);
    assert_eq!(ran.exit, 5, "{}", ran.stderr);
    assert_eq!(ran.stdout, "would have registry take what is in place already\n");
    fs::remove_file(&in_the_way).unwrap();
    assert_eq!(site.reconfigure(), "started registry\n");
    site.client().get("/v2/").expect(200);
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_renewed_certificate_is_something_to_do() {
    let site = Site::start(Lines::default());
    let dry_run = || site.regctl(&["reconfigure", "--dry-run", "--exit-code"]);
    assert_eq!(dry_run().exit, 0);
    site.certify();
    let ran = dry_run();
    assert_eq!(ran.exit, 5, "{}", ran.stderr);
    assert_eq!(ran.stdout, "would have nginx take what is in place already\n");
    assert_eq!(site.reconfigure(), "reloaded nginx\n");
    assert_eq!(dry_run().exit, 0);
}
