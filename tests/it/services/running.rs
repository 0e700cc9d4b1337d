//! A registry that runs, and nginx that is not wanted.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixListener,
    process::Stdio,
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::Supervised;
use crate::support::World;

const RUNNING: &str = "run: registry: (pid N) Ns; run: log: (pid N) Ns\n";

#[test]
fn status_has_runits_lines_whatever_the_terminal() {
    let it = Supervised::start();
    it.says("status", 0, &format!("{RUNNING}disabled: nginx\n"));
    it.says("status registry", 0, RUNNING);
    it.says("status nginx", 3, "disabled: nginx\n");
    it.says("status nginx registry", 3, &format!("{RUNNING}disabled: nginx\n"));
    it.says("status --quiet", 0, "");
    it.says("service-list", 0, "registry*\nnginx\n");
    for (columns, color) in [("80", ""), ("160", ""), ("80", "1"), ("160", "1")] {
        let mut command = it.world.command(&["status", "registry"]);
        command.env("COLUMNS", columns).env("NO_COLOR", color);
        let ran = it.world.finish(command);
        assert_eq!((ran.exit, super::masked(&ran.stdout).as_str()), (0, RUNNING));
    }
}

#[test]
fn what_runs_is_left_alone_by_start_and_replaced_by_restart() {
    let it = Supervised::start();
    let before = it.pid();
    it.says("start", 0, "ok: run: registry: (pid N) Ns\n");
    assert_eq!(it.pid(), before);
    let ran = it.run(&["restart"]);
    assert_eq!(super::masked(&ran.stdout), "ok: run: registry: (pid N) Ns\n");
    let after = it.pid();
    assert_ne!(after, before);
    assert!(ran.stdout.contains(&format!("(pid {after})")), "{}", ran.stdout);
    assert_eq!(it.registry()["restarts"], 0);
}

#[test]
fn a_disabled_service_cannot_be_started_and_the_key_is_named() {
    let it = Supervised::start();
    for command in ["start nginx", "restart nginx", "once nginx"] {
        let (exit, stdout, stderr) = it.said(command);
        let expected = "error: nginx is disabled by its settings\nhint: set `registry_external_url`, and `enable = true` in [registry.nginx], of `[ROOT]/etc/regctl/instance.toml`, then `regctl reconfigure`\n";
        assert_eq!((exit, stdout.as_str(), stderr.as_str()), (1, "", expected), "{command}");
    }
    it.says("stop nginx", 0, "ok: down: nginx: Ns\n");
    it.says("hup nginx", 3, "down: nginx: Ns\n");
}

#[test]
fn an_unknown_service_is_exit_4_with_the_nearest_name() {
    let it = Supervised::start();
    let commands = "status start stop restart once hup term int kill graceful-kill tail";
    for command in commands.split(' ') {
        let (exit, stdout, stderr) = it.said(&format!("{command} regsitry"));
        let expected = "error: there is no service `regsitry`\nhint: did you mean `registry`? the services are registry and nginx\n";
        assert_eq!((exit, stdout.as_str(), stderr.as_str()), (4, "", expected), "{command}");
    }
    let (exit, _, stderr) = it.said("status postgresql");
    let expected =
        "error: there is no service `postgresql`\nhint: the services are registry and nginx\n";
    assert_eq!((exit, stderr.as_str()), (4, expected));
}

#[test]
fn without_a_supervisor_every_command_is_exit_4_and_says_what_starts_one() {
    let (world, _) = World::on_free_port();
    let commands = "status start stop restart once hup term int kill graceful-kill";
    for command in commands.split(' ') {
        let ran = world.run(&[command]);
        let expected = "error: nothing is running\nhint: start with 'regctl run'\n";
        assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (4, "", expected));
    }
    let ran = world.run(&["service-list"]);
    let expected = "error: `[ROOT]/var/opt/regctl/state/services.json` does not exist: nothing was configured yet\nhint: `regctl reconfigure` writes it\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (78, expected));
    // What a supervisor that was killed has left is no supervisor.
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    drop(UnixListener::bind(world.path("run/regctl/supervisor.sock")).unwrap());
    assert_eq!(world.run(&["status"]).exit, 4);
}

#[test]
fn what_is_no_supervisor_is_not_believed() {
    let (world, _) = World::on_free_port();
    assert_eq!(world.run(&["reconfigure"]).exit, 0);
    let long = format!("{{\"is\":\"{}\"}}\n", "x".repeat(1 << 20));
    for (said, start) in [
        ("", "error: the supervisor's socket cannot be used: "),
        ("hello\n", "error: the supervisor's answer cannot be read: "),
        ("{\"is\":{\"pid\":1}}\n", "error: the supervisor's answer cannot be read: "),
        ("{\"refused\":\"not today\"}\n", "error: not today\n"),
        (&long, "error: the supervisor's answer cannot be read: "),
    ] {
        let path = world.path("run/regctl/supervisor.sock");
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let ran = thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut question = [0; 64];
                let length = stream.read(&mut question).unwrap();
                assert_eq!(&question[..length], b"{\"command\":\"status\"}\n");
                // Whoever has heard enough goes away.
                let _ = stream.write_all(said.as_bytes());
            });
            world.run(&["status"])
        });
        assert!(ran.exit == 1 && ran.stderr.starts_with(start), "{}", ran.stderr);
    }
}

#[test]
fn a_supervisor_that_hangs_is_not_waited_for() {
    let it = Supervised::start();
    let pid = Pid::from_raw(it.supervisor.id().try_into().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let (exit, _, stderr) = it.said("status");
    kill(pid, Signal::SIGCONT).unwrap();
    assert_eq!((exit, stderr.as_str()), (1, "error: the supervisor does not answer within N s\n"));
}

#[test]
fn signals_say_nothing_and_a_process_that_ends_is_followed_by_another() {
    let it = Supervised::start();
    for (command, how) in [("term", "exit 0"), ("int", "exit 0"), ("kill", "signal KILL")] {
        let before = it.pid();
        it.says(&format!("{command} registry"), 0, "");
        it.until("another process runs", || it.registry()["starts"].as_u64() > Some(1));
        it.until("it runs", || {
            it.registry()["pid"].as_i64().is_some_and(|pid| pid != i64::from(before))
        });
        let registry = it.registry();
        assert_eq!(registry["last_end"]["how"], how, "{command}");
        // An administrator's signal is no crash.
        assert_eq!(registry["failures"], 0);
        assert_eq!(it.run(&["start"]).exit, 0);
    }
    assert_eq!(it.registry()["restarts"], 3);
}

#[test]
fn once_is_not_followed_by_another_process() {
    let it = Supervised::start();
    it.says("once registry", 0, "");
    let line = "run: registry: (pid N) Ns, want down; run: log: (pid N) Ns\n";
    it.says("status registry", 0, line);
    it.says("term", 0, "");
    it.until("it is down", || it.registry()["pid"].is_null());
    it.says("status registry", 3, "down: registry: Ns, normally up; run: log: (pid N) Ns\n");
}

#[test]
fn a_registry_that_does_not_answer_is_unhealthy_and_still_runs() {
    let it = Supervised::start();
    let pid = Pid::from_raw(it.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    let (exit, stdout, _) = it.said("status registry");
    let health = it.json("status")["health"].clone();
    kill(pid, Signal::SIGCONT).unwrap();
    let expected = format!("{RUNNING}  unhealthy: it does not answer /vN/: no answer in time\n");
    assert_eq!((exit, stdout), (0, expected));
    assert_eq!(health["healthy"], false);
}

#[test]
fn a_stop_that_takes_longer_than_the_wait_says_so_and_graceful_kill_ends_it() {
    let it = Supervised::start();
    let _request = hanging_request(&it);
    let mut command = it.world.command(&["stop"]);
    command.env("SVWAIT", "3");
    let ran = it.world.finish(command);
    let line = "timeout: run: registry: (pid N) Ns, want down, got TERM\n";
    let said = "waiting up to N s for registry to end: it finishes what is under way\n";
    assert_eq!(ran.exit, 1);
    assert_eq!([super::masked(&ran.stdout), super::masked(&ran.stderr)], [line, said]);
    it.says(
        "status registry",
        0,
        "run: registry: (pid N) Ns, want down, got TERM; run: log: (pid N) Ns\n",
    );
    it.says("stop --no-wait", 0, "run: registry: (pid N) Ns, want down, got TERM\n");
    it.says("graceful-kill --wait 1s", 0, "ok: down: registry: Ns, normally up\n");
    assert_eq!(it.registry()["last_end"]["how"], "signal KILL");
    let mut command = it.world.command(&["start"]);
    command.env("SVWAIT", "long");
    let ran = it.world.finish(command);
    let expected = "error: `SVWAIT=long` in the environment: must be whole seconds\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (2, expected));
}

/// A request whose body never comes, and that the registry has begun.
fn hanging_request(it: &Supervised) -> TcpStream {
    let toml = it.world.read("etc/regctl/instance.toml");
    let address = toml.split('"').nth(1).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 12];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100");
    stream
}

#[test]
fn whoever_changes_the_instance_is_waited_for_and_named() {
    let it = Supervised::start();
    let lock = fs::File::open(it.world.path("run/regctl/instance.lock")).unwrap();
    lock.lock().unwrap();
    for command in ["stop", "start", "restart", "graceful-kill", "hup", "once"] {
        let (exit, _, stderr) = it.said(&format!("{command} --no-wait"));
        assert!(
            exit == 75 && stderr.starts_with("error: the instance lock "),
            "{command}: {stderr}"
        );
    }
    // Who only looks never waits.
    assert_eq!(it.run(&["status"]).exit, 0);
    let mut command = it.world.command(&["stop"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut first = [0; 8];
    stderr.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"waiting:");
    drop(lock);
    assert!(child.wait().unwrap().success());
}

#[test]
fn commands_at_once_all_get_what_they_ask_for() {
    let it = Supervised::start();
    thread::scope(|scope| {
        let restarts: Vec<_> =
            (0..6).map(|_| scope.spawn(|| it.run(&["restart", "registry"]))).collect();
        for restart in restarts {
            let ran = restart.join().unwrap();
            assert_eq!(super::masked(&ran.stdout), "ok: run: registry: (pid N) Ns\n", "{ran:?}");
        }
    });
    assert_eq!(it.registry()["failures"], 0);
}
