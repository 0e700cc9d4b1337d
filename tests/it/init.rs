//! `regctl init`.

use std::{fs, net::TcpListener};

use super::support::{World, alone_with_port_5000, binary, free_port};

/// Holds port 5000, or finds it held.
fn take_port_5000() -> Option<TcpListener> {
    TcpListener::bind("127.0.0.1:5000").ok()
}

#[test]
fn init_writes_a_starter_that_has_no_problems_and_nobody_else_can_read() {
    let _alone = alone_with_port_5000();
    let world = World::new();
    let ran = world.run(&["init"]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("wrote [ROOT]/etc/regctl/instance.toml\n"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("start it with: regctl --root [ROOT] run\n"), "{}", ran.stdout);
    assert_eq!(world.mode("etc/regctl/instance.toml"), 0o600);
    assert_eq!(world.run(&["check-config"]).exit, 0);
}

#[test]
fn init_creates_the_folders_with_their_modes() {
    let _alone = alone_with_port_5000();
    let world = World::new();
    world.run(&["init"]);
    for (folder, mode) in [
        ("etc/regctl", 0o755),
        ("etc/regctl/templates", 0o755),
        ("var/opt/regctl/registry", 0o750),
        ("var/opt/regctl/registry/cache", 0o700),
        ("var/opt/regctl/registry/events", 0o700),
        ("var/opt/regctl/state", 0o750),
        ("var/opt/regctl/storage", 0o750),
        ("var/log/regctl", 0o750),
        ("run/regctl", 0o750),
    ] {
        assert_eq!(world.mode(folder), mode, "{folder}");
    }
}

#[test]
fn init_leaves_no_stage_behind() {
    let _alone = alone_with_port_5000();
    let world = World::new();
    world.run(&["init"]);
    world.run(&["init"]);
    let names: Vec<_> = fs::read_dir(world.path("etc/regctl"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert_eq!(names, Vec::<String>::new());
}

#[test]
fn init_never_overwrites() {
    let world = World::with("# mine\n");
    let ran = world.run(&["init"]);
    let expected = "\
error: `[ROOT]/etc/regctl/instance.toml` exists and is never overwritten
hint: edit it, or move it away to start over; `regctl check-config` checks it
";
    assert_eq!((ran.exit, ran.stderr.as_str()), (1, expected));
    assert_eq!(world.read("etc/regctl/instance.toml"), "# mine\n");
    assert!(!world.path("var").exists());
}

#[test]
fn init_takes_the_next_port_when_5000_is_taken_and_says_so() {
    let _alone = alone_with_port_5000();
    let _held = take_port_5000();
    let world = World::new();
    let ran = world.run(&["init", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let address = document["registry_http_addr"].as_str().unwrap();
    assert_ne!(address, "127.0.0.1:5000");
    assert_eq!(document["port_taken"], 5000);
    let line = format!("registry_http_addr = \"{address}\"");
    assert!(world.read("etc/regctl/instance.toml").contains(&line));
}

#[test]
fn init_writes_what_it_is_told() {
    let (world, port) = (World::new(), free_port());
    let address = format!("127.0.0.1:{port}");
    let url = format!("http://localhost:{port}");
    let ran = world.run(&["init", "--http-addr", &address, "--url", &url, "--storage", "data"]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    let text = world.read("etc/regctl/instance.toml");
    assert!(text.contains(&format!("\nregistry_external_url = \"{url}\"")), "{text}");
    assert!(text.contains(&format!("\nregistry_http_addr = \"{address}\"")), "{text}");
    let data = world.path("data");
    assert!(text.contains(&format!("\nrootdirectory = \"{}\"", data.display())), "{text}");
    assert_eq!(world.mode("data"), 0o750);
    assert!(!world.path("var/opt/regctl/storage").exists());
}

#[test]
fn init_writes_nothing_that_its_reader_would_refuse() {
    let _alone = alone_with_port_5000();
    for (arguments, says) in [
        (["--url", "https://localhost"], "nothing ends TLS, because nginx is off"),
        (["--url", "http://r.example.com:7000/x"], "without a path"),
        (["--url", "registry.example.com"], "must be a URL that starts with http:// or https://"),
        (["--http-addr", "5000"], "must be an address such as"),
        (["--url", "http://a\"\nenable = false #"], "must be a URL such as"),
    ] {
        let world = World::new();
        let ran = world.run(&["init", arguments[0], arguments[1]]);
        assert_eq!(ran.exit, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
        assert!(!world.path("etc").exists(), "{arguments:?}");
    }
}

#[test]
fn a_storage_folder_that_exists_keeps_its_mode() {
    let _alone = alone_with_port_5000();
    let world = World::new();
    fs::create_dir(world.path("data")).unwrap();
    let before = world.mode("data");
    world.run(&["init", "--storage", "data"]);
    assert_eq!(world.mode("data"), before);
}

#[test]
fn a_root_that_is_a_file_is_named() {
    let _alone = alone_with_port_5000();
    let world = World::new();
    fs::write(world.path("root"), "").unwrap();
    let mut command = binary();
    command.arg("init").env("REGCTL_ROOT", world.path("root"));
    let ran = world.finish(command);
    assert_eq!(ran.exit, 1);
    let start = "error: failed to create the folder `[ROOT]/root";
    assert!(ran.stderr.starts_with(start), "{}", ran.stderr);
}

#[test]
fn beyond_loopback_users_must_sign_in_and_the_first_one_is_pointed_to() {
    let _alone = alone_with_port_5000();
    for arguments in
        [["init", "--url", "https://registry.example.com"], ["init", "--http-addr", "0.0.0.0:5000"]]
    {
        let world = World::new();
        let ran = world.run(&arguments);
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        let says = "let users in with: regctl --root [ROOT] user add NAME\n";
        assert!(ran.stdout.contains(says), "{}", ran.stdout);
        assert!(world.read("etc/regctl/instance.toml").contains("\n[registry.auth.htpasswd]  "));
        let said = world.run(&["check-config"]).stdout;
        // All that is missing is the certificate of an https URL.
        let expected = match arguments[1] {
            "--url" => "[ROOT]/etc/regctl/instance.toml: 1 problem\n",
            _ => "[ROOT]/etc/regctl/instance.toml: no problems\n",
        };
        assert!(said.ends_with(expected), "{said}");
        assert_eq!(said.contains("https needs a certificate"), arguments[1] == "--url");
    }
}

#[test]
fn on_loopback_nobody_must_sign_in() {
    let _alone = alone_with_port_5000();
    let world = World::new();
    let ran = world.run(&["init", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["first_user"], serde_json::Value::Null);
    assert!(world.read("etc/regctl/instance.toml").contains("\n# [registry.auth.htpasswd]\n"));
}
