//! `reconfigure` while 24 clients pull and push through nginx: what it does to the services, and what they notice.

use std::{fs, net::TcpListener, thread};

use super::{
    crowd::{Crowd, Patience},
    fixture::{CONFIG_YML, Lines, Site, VHOST, until},
};
use crate::support::{free_port, http::Request};

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_change_of_the_log_level_is_taken_live() {
    let registry = "log_level = \"info\"";
    let mut site = Site::start(Lines { registry, ..Lines::default() });
    let crowd = Crowd::start(&site, Patience::None);
    crowd.goes_on();
    let pids = site.pids();
    site.edit("log_level = \"info\"", "log_level = \"debug\"");
    let done = site.reconfigure();
    assert_eq!(done, format!("replaced [ROOT]/{CONFIG_YML}\nreloaded registry\n"));
    crowd.goes_on();
    assert_eq!(site.pids(), pids);
    assert_eq!(site.reconfigure(), "nothing to change\n");
    crowd.end();
    site.client().get("/v2/missing/tags/list").expect(404);
    let said = site.stop().stdout;
    assert!(said.contains("level=debug"), "{}", &said[said.len().saturating_sub(2000)..]);
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_certificate_that_was_replaced_on_disk_is_shown_to_new_connections() {
    let site = Site::start(Lines::default());
    let crowd = Crowd::start(&site, Patience::None);
    crowd.goes_on();
    let shown = || site.client().ask(&Request::get("/v2/")).unwrap().certificate;
    let (pids, first) = (site.pids(), shown());
    site.certify();
    assert_eq!(shown(), first, "nobody was told");
    assert_eq!(site.reconfigure(), "reloaded nginx\n");
    for _ in 0..20 {
        assert_ne!(shown(), first);
    }
    crowd.goes_on();
    assert_eq!(site.pids(), pids);
    assert_eq!(crowd.end().len(), 0);
    assert_eq!(site.reconfigure(), "nothing to change\n");
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_registry_that_moves_to_another_address_is_missed_for_a_moment_only() {
    let site = Site::start(Lines::default());
    let crowd = Crowd::start(&site, Patience::Repeats);
    crowd.goes_on();
    let [old, nginx] = site.pids();
    let port = free_port();
    site.edit(&format!(":{}\"", site.registry_port), &format!(":{port}\""));
    let done = site.reconfigure();
    assert!(done.ends_with("restarted registry\nreloaded nginx\n"), "{done}");
    crowd.goes_on();
    let [new, same] = site.pids();
    assert!(new != old && same == nginx);
    // nginx never goes away: what it cannot pass on it answers, and clients ask again.
    let repeated = crowd.end();
    assert!(repeated.iter().all(|reason| reason.ends_with(": 502")), "{repeated:?}");
    // Whoever wants the former address has it.
    drop(TcpListener::bind(("127.0.0.1", site.registry_port)).unwrap());
}

/// The processes that nginx works with.
fn workers(site: &Site) -> String {
    let pid = site.service("nginx")["pid"].as_u64().unwrap();
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap()
}

/// Whether somebody on this machine has a connection to a port of loopback.
fn is_connected(port: u16) -> bool {
    const ESTABLISHED: &str = "01";
    let remote = format!("0100007F:{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[2] == remote && fields[3] == ESTABLISHED
    })
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn requests_wait_while_a_registry_that_moves_finishes_what_it_has_begun() {
    let site = Site::start(Lines::default());
    let (mut held, former) = (site.begin_request(), workers(&site));
    let port = free_port();
    site.edit(&format!(":{}\"", site.registry_port), &format!(":{port}\""));
    let mut reconfigure = site.command(&["reconfigure", "--quiet"]).spawn().unwrap();
    // nginx has only new workers, who ask at the new address.
    until("nginx is reloaded", || {
        let former: Vec<&str> = former.split_whitespace().collect();
        workers(&site).split_whitespace().all(|worker| !former.contains(&worker))
    });
    assert_eq!(site.service("registry")["state"], "stopping");
    let client = site.client();
    let waiting = thread::spawn(move || client.get("/v2/").status);
    until("somebody waits", || is_connected(port));
    held.send(b"layer");
    assert_eq!(held.answer("PATCH").unwrap().status, 202);
    assert_eq!(waiting.join().unwrap(), 200);
    assert!(reconfigure.wait().unwrap().success());
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_registry_that_is_switched_off_and_on_again_keeps_everything() {
    let registry = "enable = true";
    let site = Site::start(Lines { registry, ..Lines::default() });
    let crowd = Crowd::start(&site, Patience::Repeats);
    crowd.goes_on();
    site.edit("enable = true", "enable = false");
    let done = site.reconfigure();
    assert!(done.ends_with("stopped registry\nstopped nginx\n"), "{done}");
    assert!(!site.world.path(VHOST).exists());
    assert_eq!(site.pids(), [serde_json::Value::Null, serde_json::Value::Null]);
    for port in [site.port, site.registry_port] {
        drop(TcpListener::bind(("127.0.0.1", port)).unwrap());
    }
    site.edit("enable = false", "enable = true");
    let done = site.reconfigure();
    assert!(done.ends_with("started registry\nstarted nginx\n"), "{done}");
    until("everything runs", || site.pids().iter().all(serde_json::Value::is_u64));
    crowd.goes_on();
    let repeated = crowd.end();
    assert!(
        repeated.iter().all(|reason| reason.ends_with(": 502") || reason.ends_with(": no answer")),
        "{repeated:?}"
    );
    assert_eq!(site.reconfigure(), "nothing to change\n");
}
