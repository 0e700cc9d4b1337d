//! `regctl run`.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::Stdio,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::support::{World, alone_with_port_5000};

#[test]
fn run_serves_until_ctrl_c_and_says_what_to_do_next() {
    let (world, port) = World::on_free_port();
    let server = world.serve(&["run"]);
    let expected = format!(
        "\
registry  http://127.0.0.1:{port}
data      [ROOT]/var/opt/regctl/storage
settings  [ROOT]/etc/regctl/instance.toml

push an image:
  docker push 127.0.0.1:{port}/my/image:tag
  skopeo copy --dest-tls-verify=false docker-daemon:my/image:tag docker://127.0.0.1:{port}/my/image:tag

listening on 127.0.0.1:{port}; Ctrl-C stops it
"
    );
    assert_eq!(server.greeting, expected);
    let answer =
        crate::support::client().get(format!("http://127.0.0.1:{port}/v2/")).send().unwrap();
    assert_eq!(answer.status(), 200);
    let ran = server.stop(Signal::SIGINT);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    assert!(ran.stderr.ends_with("stopped\n"), "{}", ran.stderr);
}

#[test]
fn term_stops_it_too() {
    let (world, _) = World::on_free_port();
    assert_eq!(world.serve(&["run"]).stop(Signal::SIGTERM).exit, 0);
}

#[test]
fn a_terminal_that_is_closed_stops_it() {
    let (world, _) = World::on_free_port();
    assert_eq!(world.serve(&["run"]).stop(Signal::SIGHUP).exit, 0);
}

#[test]
fn without_an_instance_run_writes_one_first() {
    let _alone = alone_with_port_5000();
    let world = World::new();
    let server = world.serve(&["run"]);
    assert!(
        server.greeting.starts_with("no instance yet: wrote [ROOT]/etc/regctl/instance.toml\n"),
        "{}",
        server.greeting
    );
    assert_eq!(server.stop(Signal::SIGTERM).exit, 0);
    assert_eq!(world.mode("etc/regctl/instance.toml"), 0o600);
    assert_eq!(world.mode("var/opt/regctl/storage"), 0o750);
}

#[test]
fn the_rendered_files_have_their_modes_and_the_secret_stays() {
    let (world, _) = World::on_free_port();
    world.serve(&["run"]).stop(Signal::SIGTERM);
    assert_eq!(world.mode("etc/regctl/secrets.json"), 0o600);
    assert_eq!(world.mode("var/opt/regctl/registry/config.yml"), 0o640);
    let secrets = world.read("etc/regctl/secrets.json");
    let document: serde_json::Value = serde_json::from_str(&secrets).unwrap();
    let secret = document["registry"]["http_secret"].as_str().unwrap();
    assert!(secret.len() == 128 && secret.chars().all(|c| c.is_ascii_hexdigit()), "{secret}");
    assert!(world.read("var/opt/regctl/registry/config.yml").contains(secret));
    world.serve(&["run"]).stop(Signal::SIGTERM);
    assert_eq!(world.read("etc/regctl/secrets.json"), secrets);
}

#[test]
fn the_rendered_file_says_what_the_instance_says() {
    let (world, port) = World::on_free_port();
    let text = format!(
        r#"[registry]
registry_http_addr = "127.0.0.1:{port}"
log_level = "warn"
log_formatter = "json"
http_secret = "sixteen or more characters"
http_draintimeout = "1h30m"
storage_delete_enabled = false

[registry.http]
relativeurls = true
host = "https://registry.example.com"
prefix = "/images/"
headers = {{ X-Frame-Options = "DENY", X-Content-Type-Options = false }}

[registry.storage.filesystem]
rootdirectory = "data"
maxthreads = 30

[registry.storage.maintenance.readonly]
enabled = true

[registry.storage.maintenance.uploadpurging]
age = "2d"
interval = "90s"
dryrun = true
"#
    );
    fs::write(world.path("etc/regctl/instance.toml"), text).unwrap();
    world.serve(&["run"]).stop(Signal::SIGTERM);
    let root = world.root().to_str().unwrap();
    let expected = format!(
        r#"# Written by regctl from "[ROOT]/etc/regctl/instance.toml": edit that file instead.
version: 0.1
log:
  level: "warn"
  formatter: "json"
  fields:
    "environment": "production"
    "service": "registry"
storage:
  filesystem:
    maxthreads: 30
    rootdirectory: "[ROOT]/data"
  delete:
    enabled: false
  maintenance:
    uploadpurging:
      enabled: true
      age: 48h
      interval: 90s
      dryrun: true
    readonly:
      enabled: true
http:
  addr: "127.0.0.1:{port}"
  secret: "sixteen or more characters"
  relativeurls: true
  host: "https://registry.example.com"
  prefix: "/images/"
  draintimeout: 90m
  headers:
    "X-Frame-Options": ["DENY"]
"#
    );
    let rendered = world.read("var/opt/regctl/registry/config.yml");
    assert_eq!(rendered.replace(root, "[ROOT]"), expected);
    assert_eq!(world.mode("data"), 0o750);
}

#[test]
fn the_in_memory_driver_replaces_the_default_one() {
    let (world, port) = World::on_free_port();
    let text = format!(
        "[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n[registry.storage.inmemory]\n"
    );
    fs::write(world.path("etc/regctl/instance.toml"), text).unwrap();
    let server = world.serve(&["run"]);
    assert!(server.greeting.contains("data      memory"), "{}", server.greeting);
    server.stop(Signal::SIGTERM);
    let rendered = world.read("var/opt/regctl/registry/config.yml");
    assert!(rendered.contains("\n  inmemory: {}\n"), "{rendered}");
    assert!(!rendered.contains("filesystem"), "{rendered}");
    assert!(!world.path("var/opt/regctl/storage").exists());
}

#[test]
fn registry_path_moves_the_storage() {
    let (world, port) = World::on_free_port();
    let text = format!(
        "[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n[gitlab_rails]\nregistry_path = \"old\"\n"
    );
    fs::write(world.path("etc/regctl/instance.toml"), text).unwrap();
    let server = world.serve(&["run"]);
    assert!(server.greeting.contains("data      [ROOT]/old\n"), "{}", server.greeting);
    assert_eq!(server.stop(Signal::SIGTERM).exit, 0);
}

#[test]
fn a_taken_port_is_named_with_its_key() {
    let (world, port) = World::on_free_port();
    let _held = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let ran = world.run(&["run"]);
    assert_eq!(ran.exit, 1);
    let key = "`registry.registry_http_addr` in `[ROOT]/etc/regctl/instance.toml`";
    let start = format!("error: failed to listen on `127.0.0.1:{port}`, set by {key}: ");
    assert!(ran.stderr.starts_with(&start), "{}", ran.stderr);
    let end = format!("\nhint: stop what listens there, or change {key}\n");
    assert!(ran.stderr.ends_with(&end), "{}", ran.stderr);
}

#[test]
fn a_bad_instance_starts_nothing_and_changes_nothing() {
    let world = World::with("[registry]\nlog_level = \"loud\"\nenabel = true\n");
    let ran = world.run(&["run"]);
    let expected = r#"error: 2 problems in `[ROOT]/etc/regctl/instance.toml`
[ROOT]/etc/regctl/instance.toml:2:13: `registry.log_level = "loud"`: must be one of "error", "warn", "info", "debug"
[ROOT]/etc/regctl/instance.toml:3:1: unknown key `registry.enabel`
  hint: did you mean `enable`?
"#;
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (78, "", expected));
    assert!(!world.path("var").exists());
}

#[test]
fn a_disabled_registry_is_not_run() {
    let ran = World::with("[registry]\nenable = false\n").run(&["run"]);
    let expected = "\
error: `registry.enable = false` in `[ROOT]/etc/regctl/instance.toml`: there is nothing to run
hint: set `enable = true` in [registry] of `[ROOT]/etc/regctl/instance.toml`
";
    assert_eq!((ran.exit, ran.stderr.as_str()), (1, expected));
}

#[test]
fn a_broken_secrets_file_is_named_and_kept() {
    let (world, _) = World::on_free_port();
    let secrets = world.path("etc/regctl/secrets.json");
    fs::write(&secrets, "{").unwrap();
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = world.run(&["run"]);
    assert_eq!(ran.exit, 1);
    assert!(
        ran.stderr.starts_with("error: `[ROOT]/etc/regctl/secrets.json` is no secrets file: "),
        "{}",
        ran.stderr
    );
    assert_eq!(world.read("etc/regctl/secrets.json"), "{");
}

#[test]
fn a_second_signal_does_not_wait_for_requests_under_way() {
    let (world, port) = World::on_free_port();
    let server = world.serve(&["run"]);
    // A request whose body never comes keeps the registry for as long as it drains, 30 seconds.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 12];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100");
    server.signal(Signal::SIGTERM);
    // The listener is gone: the drain has begun.
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(server.stop(Signal::SIGTERM).exit, 0);
    let mut rest = Vec::new();
    // Cut off, not answered.
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.windows(8).any(|window| window == b"HTTP/1.1"), "{rest:?}");
}

#[test]
fn a_reader_of_stdout_who_stops_to_read_does_not_stop_the_registry() {
    let (world, port) = World::on_free_port();
    let mut command = world.command(&["run"]);
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut greeting = BufReader::new(run.stderr.take().unwrap()).lines();
    assert!(greeting.any(|line| line.unwrap().starts_with("listening on")));
    // Each is a line of a kilobyte, and pipes hold 64 of those.
    let agent = "x".repeat(1000);
    let client = reqwest::blocking::Client::builder().user_agent(agent).build().unwrap();
    for _ in 0..6000 {
        let answer = client.get(format!("http://127.0.0.1:{port}/v2/")).send().unwrap();
        assert_eq!(answer.status(), 200);
    }
    kill(Pid::from_raw(run.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(run.wait().unwrap().success());
    let log = world.read("var/log/regctl/registry/current");
    assert!(log.matches("GET /v2/").count() >= 6000);
}
