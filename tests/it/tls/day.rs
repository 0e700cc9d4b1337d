//! A day of an administrator, typed as the README has it: from nothing to a registry with users, and what happens then.

use std::fs;

use super::{
    docker::{load, login, trust},
    fixture::{CONFIG_YML, PASSWORD, Site, TOML, USER, VHOST},
};
use crate::support::{Docker, Network};

/// What docker says of a push that a registry does not take.
fn refused(docker: &Docker, image: &str) -> String {
    let output = docker.command(&["push", image]).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
#[ignore = "needs nginx, dockerd, docker, skopeo, ip and nsenter: run cargo xtask test"]
fn a_day_of_an_administrator() {
    // Morning: a fresh machine, and a certificate from whoever makes them.
    let mut site = Site::bare(Network::start(), 5050);
    let url = format!("https://{}", site.name);
    let ran = site.regctl(&["init", "--url", &url]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let said = [ran.stdout, ran.stderr].concat();
    assert!(said.contains("user add NAME\n"), "{said}");
    let ran = site.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 78, "{}{}", ran.stdout, ran.stderr);
    let missing = "https needs a certificate: `[ROOT]/etc/regctl/ssl/registry.example.com.crt`";
    assert!(ran.stderr.contains(missing), "{}", ran.stderr);
    site.certify();
    site.edit("log_level = \"info\"", "log_level = \"warn\"");
    assert_eq!(site.regctl(&["check-config"]).exit, 0);
    let ran = site.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.ends_with("nothing is running: start with 'regctl run'\n"),
        "{}",
        ran.stderr
    );

    // It runs; nobody has access, then somebody does, and nothing was started again for it.
    site.serve();
    let pids = site.pids();
    let docker = Docker::within(site.network());
    trust(&site);
    assert!(!login(&docker, &site.name, PASSWORD).status.success());
    let ran = site.regctl_with(&["user", "add", USER, "--password-stdin"], PASSWORD);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(login(&docker, &site.name, PASSWORD).status.success());
    let (first, second) = (site.image("group/app:v1"), site.image("group/app:v2"));
    load(&docker, &first);
    docker.run(&["tag", &first, &second]);
    let id = docker.id(&first);
    docker.run(&["push", &first]);

    // Noon: nothing may be pushed for a while.
    assert_eq!(site.regctl(&["set-readonly", "on"]).stdout, "read-only is on\n");
    assert!(refused(&docker, &second).contains("unsupported"));
    docker.run(&["rmi", "--force", &id]);
    docker.run(&["pull", &first]);
    assert_eq!(docker.id(&first), id);
    docker.run(&["tag", &first, &second]);
    assert_eq!(site.regctl(&["set-readonly", "off"]).stdout, "read-only is off\n");
    docker.run(&["push", &second]);
    let log = site.world.read("var/log/regctl/nginx/registry_access.log");
    let writes =
        log.lines().filter(|line| line.contains("/v2/group/app/") && line.contains("\" 405 "));
    assert!(writes.count() > 0, "{log}");
    assert_eq!(site.pids(), pids);

    // Afternoon: a mistake.
    let files = || [CONFIG_YML, VHOST].map(|path| site.world.read(path));
    let (good, before) = (site.world.read(TOML), files());
    site.edit("log_level = \"warn\"", "log_level = \"loud\"");
    let ran = site.regctl(&["reconfigure"]);
    assert_eq!(ran.exit, 78, "{}", ran.stderr);
    let problem =
        "`registry.log_level = \"loud\"`: must be one of \"error\", \"warn\", \"info\", \"debug\"";
    assert!(ran.stderr.contains(problem), "{}", ran.stderr);
    assert!(files() == before && site.pids() == pids);
    docker.run(&["push", &second]);
    fs::write(site.world.path(TOML), good).unwrap();
    site.reconfigure();
    assert_eq!(site.reconfigure(), "nothing to change\n");

    // Evening.
    let ran = site.stop();
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(ran.stderr.ends_with("stopped\n"), "{}", ran.stderr);
    assert!(!site.world.path("run/regctl/supervisor.sock").exists());
}
