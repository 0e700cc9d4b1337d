//! `regctl set-readonly`: one key in the file, one value in `config.yml`, and the running registry.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        net::UnixListener,
    },
    process,
    thread::{self, JoinHandle},
};

use serde_json::json;

use crate::support::World;

const TOML: &str = "etc/regctl/instance.toml";
const CONFIG_YML: &str = "var/opt/regctl/registry/config.yml";
const HOLDS: &str = "var/opt/regctl/state/holds.json";
const SOCKET: &str = "run/regctl/registry.sock";

/// A file that somebody has made their own.
const THEIRS: &str = "# mine\r\n[registry]\r\n  log_level   = 'info' # quiet\r\n\r\n[registry.storage.maintenance.readonly] # no pushes\r\n\tenabled=false # yet\r\n# the end";

const AT_THE_NEXT_START: &str = "no running registry was told: it takes effect at the next start\n";

fn applied(text: &str) -> World {
    let world = World::with(text);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    world
}

/// What the rendered file says of read-only.
fn rendered(world: &World) -> bool {
    let text = world.read(CONFIG_YML);
    let (_, rest) = text.split_once("    readonly:\n      enabled: ").unwrap();
    rest.starts_with("true")
}

#[test]
fn the_key_is_switched_and_every_other_byte_stays() {
    let world = applied(THEIRS);
    fs::set_permissions(world.path(TOML), fs::Permissions::from_mode(0o604)).unwrap();
    let config = world.read(CONFIG_YML);
    let ran = world.run(&["set-readonly", "on"]);
    let expected = format!("read-only is on\n{AT_THE_NEXT_START}");
    assert_eq!((ran.exit, ran.stdout, ran.stderr.as_str()), (0, expected, ""));
    assert_eq!(world.read(TOML), THEIRS.replace("enabled=false", "enabled=true"));
    assert_eq!((world.mode(TOML), world.mode(CONFIG_YML)), (0o604, 0o640));
    assert!(rendered(&world));
    assert_eq!(world.run(&["reconfigure", "--dry-run", "--exit-code"]).exit, 0);
    assert_eq!(world.run(&["set-readonly", "off"]).exit, 0);
    assert_eq!((world.read(TOML), world.read(CONFIG_YML)), (THEIRS.to_owned(), config));
}

#[test]
fn a_switch_that_is_set_already_changes_nothing() {
    let world = applied("[registry]\n");
    for state in ["off", "on", "on"] {
        let _ = world.run(&["set-readonly", state]);
    }
    let inodes = || [TOML, CONFIG_YML].map(|path| fs::metadata(world.path(path)).unwrap().ino());
    let before = inodes();
    let ran = world.run(&["set-readonly", "on"]);
    assert_eq!(ran.stdout, format!("read-only is already on\n{AT_THE_NEXT_START}"));
    assert_eq!(inodes(), before);
    let expected = "[registry]\n\n[registry.storage.maintenance.readonly]\nenabled = true\n";
    assert_eq!(world.read(TOML), expected);
}

#[test]
fn other_edits_are_pointed_out_and_not_applied() {
    let world = applied("[registry]\nlog_level = \"info\"\n");
    fs::write(world.path(TOML), "[registry]\nlog_level = \"debug\"\n").unwrap();
    let ran = world.run(&["set-readonly", "on"]);
    let warning = format!(
        "warning: other edits of instance.toml are not applied: `regctl reconfigure` would change [ROOT]/{CONFIG_YML}\n"
    );
    assert_eq!((ran.exit, ran.stderr), (0, warning));
    assert!(rendered(&world) && world.read(CONFIG_YML).contains("level: \"info\""));
    assert!(world.read(TOML).starts_with("[registry]\nlog_level = \"debug\"\n"));
    let ran = world.run(&["set-readonly", "off", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["pending"], json!([format!("[ROOT]/{CONFIG_YML}")]));
    assert_eq!(document["takes_effect"], "next start");
    // An edit that would be refused is pointed out too, and does not stand in the way.
    fs::write(world.path(TOML), "[registry]\nenv = { REGISTRY_HTTP_DRAINTIMEOUT = \"soon\" }\n")
        .unwrap();
    let ran = world.run(&["set-readonly", "on"]);
    let says = "and would be refused: the registry would refuse the config.yml";
    assert!(ran.exit == 0 && ran.stderr.contains(says), "{}", ran.stderr);
    assert!(rendered(&world));
}

#[test]
fn a_file_with_problems_is_not_edited() {
    let world = applied("[registry]\n");
    let text = "[registry]\nlog_level = \"loud\"\n";
    fs::write(world.path(TOML), text).unwrap();
    let config = world.read(CONFIG_YML);
    for state in ["on", "off", "status"] {
        let ran = world.run(&["set-readonly", state]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (78, ""), "{state}");
        assert!(ran.stderr.contains("`registry.log_level = \"loud\"`"), "{}", ran.stderr);
    }
    assert_eq!((world.read(TOML).as_str(), world.read(CONFIG_YML)), (text, config));
}

#[test]
fn an_instance_that_was_never_applied_is_switched_in_its_file() {
    let world = World::with("[registry]\n");
    let ran = world.run(&["set-readonly", "on"]);
    let expected = "read-only is on\nit takes effect with the first `regctl reconfigure`\n";
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, expected), "{}", ran.stderr);
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert!(rendered(&world));
    let world = World::new();
    assert_eq!(world.run(&["set-readonly", "on"]).exit, 78);
    assert!(!world.path("var").exists());
}

#[test]
fn a_link_is_not_replaced_by_a_file() {
    let world = applied("[registry]\n");
    fs::rename(world.path(TOML), world.path("elsewhere")).unwrap();
    symlink(world.path("elsewhere"), world.path(TOML)).unwrap();
    let ran = world.run(&["set-readonly", "on"]);
    assert_eq!(ran.exit, 1);
    assert!(ran.stderr.contains("it is a symbolic link"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(world.path("elsewhere")).unwrap(), "[registry]\n");
}

#[test]
fn a_config_yml_of_another_form_is_left_alone() {
    let world = applied("[registry]\n");
    let config = world.read(CONFIG_YML).replace("    readonly:\n      enabled: false\n", "");
    fs::write(world.path(CONFIG_YML), &config).unwrap();
    let ran = world.run(&["set-readonly", "on"]);
    let expected = format!(
        "error: `[ROOT]/{CONFIG_YML}` has no line for read-only that could be changed by itself; nothing was changed\nhint: set the key in instance.toml, and `regctl reconfigure`\n"
    );
    assert_eq!((ran.exit, ran.stderr), (1, expected));
    assert_eq!((world.read(TOML).as_str(), world.read(CONFIG_YML)), ("[registry]\n", config));
}

/// Answers one request on the admin socket, and returns it.
fn registry(world: &World, status: &'static str) -> JoinHandle<String> {
    let _ = fs::remove_file(world.path(SOCKET));
    let listener = UnixListener::bind(world.path(SOCKET)).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut said = String::new();
        let mut buffer = [0; 512];
        while !said.contains('}') {
            let length = stream.read(&mut buffer).unwrap();
            said.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\nbusy").unwrap();
        said
    })
}

#[test]
fn the_running_registry_is_told() {
    let world = applied("[registry]\n");
    for (state, enabled) in [("on", true), ("on", true), ("off", false)] {
        let told = registry(&world, "204 No Content");
        let ran = world.run(&["set-readonly", state]);
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
        assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
        let told = told.join().unwrap();
        assert!(told.starts_with("PUT /v1/read-only HTTP/1.1\r\n"), "{told}");
        assert!(told.ends_with(&format!("\r\n\r\n{{\"enabled\":{enabled}}}")), "{told}");
    }
    let told = registry(&world, "503 Service Unavailable");
    let ran = world.run(&["set-readonly", "on"]);
    told.join().unwrap();
    let expected = format!(
        "error: read-only is on in the files, and the running registry could not be told through `[ROOT]/{SOCKET}`: it answered 503: busy\nhint: it takes effect at the next start\n"
    );
    assert_eq!((ran.exit, ran.stderr), (1, expected));
    assert!(rendered(&world));
    // The socket is there, and nobody listens.
    let ran = world.run(&["set-readonly", "off"]);
    assert_eq!(ran.stdout, format!("read-only is off\n{AT_THE_NEXT_START}"));
}

/// Writes the hold of a process that started so many ticks after this one.
fn hold(world: &World, kind: &str, later: u64) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    let start_time: u64 = fields.split_ascii_whitespace().nth(19).unwrap().parse().unwrap();
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let process = json!({
        "pid": process::id(), "start_time": start_time + later, "boot_id": boot_id.trim()
    });
    let hold = json!({
        "id": "0123456789abcdef", "kind": kind, "reason": "a collection",
        "owner": { "command": "registry-garbage-collect", "process": process },
        "since": "2026-01-02T03:04:05Z", "before": { "running": true, "read_only": false },
    });
    let holds = json!({ "schema": 1, "holds": [hold] }).to_string();
    fs::write(world.path(HOLDS), holds).unwrap();
}

fn held() -> String {
    let pid = process::id();
    format!(
        "`regctl registry-garbage-collect` (pid {pid}) since 2026-01-02T03:04:05Z, for a collection"
    )
}

#[test]
fn off_is_refused_under_a_hold_and_names_who_has_it() {
    let world = applied("[registry]\n");
    hold(&world, "read-only", 0);
    let ran = world.run(&["set-readonly", "off"]);
    let hint = "hint: it ends with that command; `regctl set-readonly status` shows it\n";
    let expected = format!("error: read-only is held by {}\n{hint}", held());
    assert_eq!((ran.exit, ran.stderr), (1, expected));
    let ran = world.run(&["set-readonly", "status"]);
    let expected = format!(
        "read-only: on\nsetting: off\nread-only hold: {}\nconfig.yml says off: `regctl reconfigure` applies it\n",
        held()
    );
    assert_eq!((ran.exit, ran.stdout), (0, expected));
    // The setting and the hold are two things: on is taken, and stays when the hold goes.
    assert_eq!(world.run(&["set-readonly", "on"]).exit, 0);
    fs::remove_file(world.path(HOLDS)).unwrap();
    let ran = world.run(&["set-readonly", "status"]);
    assert_eq!(ran.stdout, "read-only: on\nsetting: on\n");
}

#[test]
fn a_hold_is_in_force_in_what_is_rendered() {
    let world = applied("[registry]\n");
    hold(&world, "stop", 0);
    assert_eq!(world.run(&["reconfigure", "--dry-run", "--exit-code"]).exit, 0);
    for later in [0, 1] {
        hold(&world, "read-only", later);
        assert_eq!(world.run(&["reconfigure"]).exit, 0);
        assert!(rendered(&world), "a dead owner's hold is still a hold");
    }
    fs::remove_file(world.path(HOLDS)).unwrap();
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    assert!(!rendered(&world));
    assert_eq!(world.read(TOML), "[registry]\n");
}

#[test]
fn a_dead_owners_hold_is_shown_as_such_and_cleared_by_off() {
    let world = applied("[registry]\n");
    hold(&world, "read-only", 1);
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let ran = world.run(&["set-readonly", "status", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["effective"], true);
    assert_eq!((&document["setting"], &document["applied"]), (&json!(false), &json!(true)));
    assert_eq!(
        (&document["holds"][0]["stale"], &document["holds"][0]["kind"]),
        (&json!(true), &json!("read-only"))
    );

    // Somebody works on the storage: whose hold it is, is theirs to say.
    let lock = world.path("run/regctl/storage.lock");
    fs::write(&lock, r#"{"pid":4711,"command":"verify","since":"2026-01-02T03:04:05Z"}"#).unwrap();
    let locked = fs::File::open(&lock).unwrap();
    locked.lock().unwrap();
    let ran = world.run(&["set-readonly", "off", "--no-wait"]);
    let expected = "error: the storage lock `[ROOT]/run/regctl/storage.lock` is held by `regctl verify` (pid 4711) since 2026-01-02T03:04:05Z\nhint: wait for it with --wait DURATION\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (75, expected));
    assert!(rendered(&world));
    drop(locked);

    let ran = world.run(&["set-readonly", "off"]);
    let stale = format!("{}; stale: that process is gone", held());
    let expected = format!(
        "cleared the read-only hold of {stale}\nread-only is already off\n{AT_THE_NEXT_START}"
    );
    assert_eq!((ran.exit, ran.stdout), (0, expected), "{}", ran.stderr);
    assert!(!rendered(&world));
    assert_eq!(world.run(&["set-readonly", "status"]).stdout, "read-only: off\nsetting: off\n");
}

#[test]
fn holds_that_cannot_be_read_are_not_taken_for_none() {
    let world = applied("[registry]\n");
    fs::write(world.path(HOLDS), "{\"schema\":1,\"holds\":[").unwrap();
    for arguments in [&["set-readonly", "off"][..], &["set-readonly", "status"], &["reconfigure"]] {
        let ran = world.run(arguments);
        assert_eq!(ran.exit, 1, "{arguments:?}");
        assert!(ran.stderr.contains(&format!("`[ROOT]/{HOLDS}` holds no holds")), "{}", ran.stderr);
    }
}

#[test]
fn switches_at_once_end_well_and_agree() {
    let world = applied("[registry]\n");
    let children: Vec<_> = (0..8)
        .map(|index| {
            let state = if index % 2 == 0 { "on" } else { "off" };
            world.command(&["set-readonly", state, "--quiet"]).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let setting = world.read(TOML).contains("enabled = true");
    assert_eq!(rendered(&world), setting);
    assert_eq!(world.run(&["reconfigure", "--dry-run", "--exit-code"]).exit, 0);
}
