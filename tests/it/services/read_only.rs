//! Read-only by every way there is: they agree with each other and with what the registry does.

use std::fs;

use super::Supervised;
use crate::support::http::{Connection, Request};

const TOML: &str = "etc/regctl/instance.toml";
const TABLE: &str = "\n[registry.storage.maintenance.readonly]\nenabled = ";

impl Supervised {
    fn port(&self) -> u16 {
        let text = self.world.read(TOML);
        let (_, rest) = text.split_once("127.0.0.1:").unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    }

    /// What a client who begins an upload is told.
    fn writes(&self) -> u16 {
        let mut connection = Connection::open(self.port());
        connection.send(&Request::new("POST", "/v2/app/blobs/uploads/").body("").bytes());
        connection.answer("POST").unwrap().status
    }

    /// Has the file say it, and applies the file.
    fn configure(&self, read_only: bool) {
        let text = self.world.read(TOML);
        let text = text.split(TABLE).next().unwrap();
        fs::write(self.world.path(TOML), format!("{text}{TABLE}{read_only}\n")).unwrap();
        let ran = self.run(&["reconfigure"]);
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
    }
}

#[test]
fn a_reconfigure_after_a_switch_is_in_force_whatever_was_before() {
    let service = Supervised::start();
    service.configure(false);
    assert_eq!(service.run(&["restart"]).exit, 0);
    for (switched, configured) in [("on", false), ("off", true), ("off", true), ("on", false)] {
        assert_eq!(service.run(&["set-readonly", switched]).exit, 0);
        assert_eq!(service.writes(), if switched == "on" { 405 } else { 202 });
        service.configure(configured);
        assert_eq!(service.writes(), if configured { 405 } else { 202 });
        let status = service.run(&["set-readonly", "status", "--json"]).stdout;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        for key in ["effective", "setting", "applied", "running"] {
            assert_eq!(status[key], configured, "{key} in {status}");
        }
    }
}

#[test]
fn a_registry_that_crashes_takes_it_when_it_starts() {
    let service = Supervised::start();
    let in_the_way = service.world.path("var/opt/regctl/storage/docker/registry/v2/regctl");
    fs::create_dir_all(in_the_way.parent().unwrap()).unwrap();
    // The registry has a folder there once it has staged something.
    let _ = fs::remove_dir_all(&in_the_way);
    fs::write(&in_the_way, "").unwrap();
    service.run(&["restart", "--no-wait"]);
    service.until("it crashes", || {
        service.run(&["status", "--json"]).stdout.contains("\"state\": \"crashed\"")
    });
    let ran = service.run(&["set-readonly", "on"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("it takes effect at the next start"), "{}", ran.stdout);
    fs::remove_file(&in_the_way).unwrap();
    assert_eq!(service.run(&["restart"]).exit, 0);
    assert_eq!(service.writes(), 405);
}

#[test]
fn a_client_who_sends_all_of_a_layer_reads_that_it_was_refused() {
    let service = Supervised::start();
    assert_eq!(service.run(&["set-readonly", "on"]).exit, 0);
    let mut connection = Connection::open(service.port());
    let layer = "x".repeat(8 << 20);
    for _ in 0..3 {
        let request = Request::new(
            "PATCH",
            "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000?_state=x",
        );
        connection.send(&request.body(layer.as_str()).bytes());
        assert_eq!(connection.answer("PATCH").unwrap().status, 405);
    }
}
