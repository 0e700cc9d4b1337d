//! `status --json`: its schema, and what it knows besides processes.

use std::fs;

use serde_json::{Value, json};

use super::Supervised;
use crate::support::{World, certificate::Certified, free_port};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn its_fields_are_those_of_schema_1() {
    let it = Supervised::start();
    let status = it.json("status");
    assert_eq!(status["schema"], 1);
    let all =
        ["certificate", "health", "no_sendfile", "read_only", "schema", "services", "supervisor"];
    assert_eq!(keys(&status), all);
    assert_eq!(status["supervisor"], it.supervisor.id());
    let service = [
        "enabled",
        "failures",
        "got",
        "last_end",
        "log",
        "log_lines",
        "name",
        "next_start",
        "outdated",
        "pid",
        "problem",
        "restarts",
        "seconds",
        "starts",
        "state",
        "wanted",
    ];
    let [registry, nginx] = [&status["services"][0], &status["services"][1]];
    assert_eq!(keys(registry), service);
    assert_eq!([&registry["name"], &nginx["name"]], ["registry", "nginx"]);
    assert_eq!([&registry["state"], &registry["wanted"]], ["run", "up"]);
    assert_eq!([&nginx["state"], &nginx["enabled"]], [&json!("down"), &json!(false)]);
    assert_eq!(keys(&registry["log"]), ["pid", "seconds"]);
    assert_eq!(status["health"], json!({"healthy": true, "problem": null}));
    let writable = json!({
        "effective": false, "setting": false, "applied": false, "holds": [], "problem": null
    });
    assert_eq!(status["read_only"], writable);
    assert_eq!([&status["certificate"], &status["no_sendfile"]], [&Value::Null, &Value::Null]);
}

#[test]
fn what_commands_did_has_a_schema_too() {
    let it = Supervised::start();
    for (command, result, state) in [
        ("restart registry", "ok", "run"),
        ("stop registry", "ok", "down"),
        ("start registry --no-wait", "told", "run"),
    ] {
        let done = it.json(command);
        let service = &done["services"][0];
        assert_eq!(done["schema"], 1);
        assert_eq!([&service["result"], &service["status"]["state"]], [result, state], "{command}");
    }
    assert_eq!(it.run(&["start"]).exit, 0);
    let reloaded = it.json("hup")["services"][0].clone();
    let expected = json!({
        "name": "registry", "result": "reloaded", "applied": [], "needs_restart": []
    });
    assert_eq!(reloaded, expected);
    let listed = it.json("service-list");
    assert_eq!(listed["services"][1], json!({"name": "nginx", "enabled": false}));
}

#[test]
fn a_half_finished_edit_of_the_settings_is_no_reason_to_say_nothing() {
    let it = Supervised::start();
    fs::write(it.world.path("etc/regctl/instance.toml"), "[registry\n").unwrap();
    let read_only = it.json("status")["read_only"].clone();
    assert_eq!([&read_only["setting"], &read_only["applied"]], [&Value::Null, &json!(false)]);
    it.says("status registry", 0, "run: registry: (pid N) Ns; run: log: (pid N) Ns\n");
}

#[test]
fn holds_are_shown_with_their_owners_and_whether_they_live() {
    let it = Supervised::start();
    let hold = json!({"schema": 1, "holds": [{
        "id": "a", "kind": "read-only", "reason": "a collection",
        "owner": {"command": "registry-garbage-collect",
                  "process": {"pid": 1, "start_time": 1, "boot_id": "x"}},
        "since": "2026-01-01T00:00:00Z", "before": {"running": true, "read_only": false}
    }]});
    fs::write(it.world.path("var/opt/regctl/state/holds.json"), hold.to_string()).unwrap();
    let shown = it.json("status")["read_only"]["holds"][0].clone();
    assert_eq!([&shown["stale"], &shown["pid"]], [&json!(true), &json!(1)]);
    let (exit, stdout, _) = it.said("status registry");
    let line = "  read-only hold: `regctl registry-garbage-collect` (pid N) since N-N-NTN:N:NZ, for a collection; stale: that process is gone\n";
    assert!(exit == 0 && stdout.ends_with(line), "{stdout}");
    fs::write(it.world.path("var/opt/regctl/state/holds.json"), "{").unwrap();
    let (exit, stdout, _) = it.said("status registry");
    assert!(exit == 0 && stdout.contains("\n  holds: "), "{stdout}");
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn nginx_is_started_reloaded_and_its_certificate_is_watched() {
    let port = free_port();
    let world = World::with(&format!(
        "registry_external_url = \"https://localhost:{port}\"\n[registry]\nregistry_http_addr = \"127.0.0.1:{}\"\n[registry.nginx]\nenable = true\nredirect_http_to_https = false\n",
        free_port()
    ));
    fs::create_dir_all(world.path("etc/regctl/ssl")).unwrap();
    let certified = Certified::within(&["localhost"], -1..12);
    fs::write(world.path("etc/regctl/ssl/localhost.crt"), &certified.certificate).unwrap();
    fs::write(world.path("etc/regctl/ssl/localhost.key"), &certified.key).unwrap();
    let it = Supervised::supervise(world);
    it.says("start", 0, "ok: run: registry: (pid N) Ns\nok: run: nginx: (pid N) Ns\n");
    it.says("service-list", 0, "registry*\nnginx*\n");
    let (exit, stdout, _) = it.said("status nginx");
    let line = "run: nginx: (pid N) Ns; run: log: (pid N) Ns\n  certificate: `[ROOT]/etc/regctl/ssl/localhost.crt` expires on N-N-N, in N days\n";
    assert_eq!((exit, stdout.as_str()), (0, line));
    let certificate = it.json("status")["certificate"].clone();
    assert!([11, 12].contains(&certificate["days_left"].as_i64().unwrap()), "{certificate}");
    let renewed = Certified::new(&["localhost"]);
    fs::write(it.world.path("etc/regctl/ssl/localhost.crt"), &renewed.certificate).unwrap();
    fs::write(it.world.path("etc/regctl/ssl/localhost.key"), &renewed.key).unwrap();
    assert_eq!(it.json("status")["services"][1]["outdated"], "files");
    it.says("hup nginx", 0, "");
    it.says("status nginx", 0, "run: nginx: (pid N) Ns; run: log: (pid N) Ns\n");
    it.says("restart", 0, "ok: run: registry: (pid N) Ns\nok: run: nginx: (pid N) Ns\n");
    it.says("stop", 0, "ok: down: registry: Ns, normally up\nok: down: nginx: Ns, normally up\n");
}
