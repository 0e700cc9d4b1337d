//! A reconfigure that is killed while services run, and two at once: files and services agree in the end.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener},
    process::{Command, Stdio},
};

use super::fixture::{CONFIG_YML, Lines, Site, TOML, VHOST, until};
use crate::support::free_port;

/// The calls at which it is killed: those that change files, and those that reach services and ask how they are.
const CALLS: [(&str, usize); 3] = [("connect", 20), ("rename", 8), ("fsync", 20)];

/// Lines that both services show in every answer.
fn version(number: usize) -> [String; 2] {
    [format!("X-Version = [\"{number}\"]"), format!("hsts_max_age = {number}")]
}

fn edit(site: &Site, from: usize, to: usize) {
    let (from, to) = (version(from), version(to));
    from.iter().zip(&to).for_each(|(from, to)| site.edit(from, to));
}

/// What the registry and nginx show.
fn shown(site: &Site) -> [Option<String>; 2] {
    let answer = site.client().get("/v2/").expect(200);
    let header = |name: &str| answer.header(name).map(str::to_owned);
    [header("x-version"), header("strict-transport-security")]
}

fn expected(number: usize) -> [Option<String>; 2] {
    [Some(number.to_string()), Some(format!("max-age={number}"))]
}

/// Runs `reconfigure` until its nth call of a kind, and says whether it came to that.
fn is_killed(site: &Site, call: &str, count: usize) -> bool {
    let mut command = Command::new("strace");
    let inject = format!("inject={call}:signal=SIGKILL:when={count}");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    command.arg(env!("CARGO_BIN_EXE_regctl")).arg("--root").arg(site.world.root());
    command.arg("reconfigure");
    site.world.finish(command).exit != 0
}

#[test]
#[ignore = "needs nginx and strace: run cargo xtask test"]
fn whatever_ends_a_reconfigure_the_next_one_completes_it() {
    let [header, nginx] = version(1);
    let tables = format!("[registry.http]\nheaders = {{ {header} }}");
    let site = Site::start(Lines { nginx: &nginx, tables: &tables, ..Lines::default() });
    assert_eq!(shown(&site), expected(1));
    let (mut number, mut kills) = (1, 0);
    for (call, most) in CALLS {
        for count in 1..=most {
            edit(&site, number, number + 1);
            number += 1;
            let killed = is_killed(&site, call, count);
            kills += usize::from(killed);
            // Whatever happened, somebody serves.
            site.client().get("/v2/").expect(200);
            let ran = site.regctl(&["reconfigure", "--no-wait"]);
            assert_eq!(ran.exit, 0, "after {call} {count}: {}", ran.stderr);
            assert_eq!(shown(&site), expected(number), "after {call} {count}");
            assert_eq!(site.reconfigure(), "nothing to change\n", "after {call} {count}");
            if !killed {
                break;
            }
        }
    }
    assert!(kills >= 25, "only {kills} kills");
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn of_two_at_once_one_waits_and_one_that_may_not_is_told_who_is_at_it() {
    let site = Site::start(Lines::default());
    let mut held = site.begin_request();
    let port = free_port();
    site.edit(&format!(":{}\"", site.registry_port), &format!(":{port}\""));
    let first = site.command(&["reconfigure"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut first = first.unwrap();
    // The registry finishes what it has begun, and whoever has told it to stop waits for that.
    until("the registry drains", || site.service("registry")["state"] == "stopping");
    let text = site.world.read(TOML);
    fs::write(site.world.path(TOML), text.replace("Registry", "Another")).unwrap();
    let ran = site.regctl(&["reconfigure", "--no-wait"]);
    assert_eq!(ran.exit, 75, "{}", ran.stderr);
    assert!(
        ran.stderr.contains(&format!("is held by `regctl reconfigure` (pid {})", first.id())),
        "{}",
        ran.stderr
    );
    let mut second = site.command(&["reconfigure"]);
    let mut second = second.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(second.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("waiting: the instance lock is held by `regctl recon"), "{line}");
    held.send(b"layer");
    assert_eq!(held.answer("PATCH").unwrap().status, 202);
    assert!(first.wait().unwrap().success());
    assert!(second.wait().unwrap().success());
    assert_eq!(site.reconfigure(), "nothing to change\n");
    let stranger = super::client::Client::new(site.host(), site.port, &site.authority.certificate);
    let answer = stranger.get("/v2/").expect(401);
    assert!(answer.header("www-authenticate").unwrap().contains("Another"), "{answer:?}");
}

#[test]
#[ignore = "needs nginx and strace: run cargo xtask test"]
fn what_does_not_serve_is_undone_by_the_next_one_when_the_first_was_killed() {
    let site = Site::start(Lines::default());
    let good = site.world.read(TOML);
    let files = || [CONFIG_YML, VHOST].map(|path| site.world.read(path));
    let before = files();
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = other.local_addr().unwrap().port();
    let bad = good.replace(&format!(":{}\"", site.registry_port), &format!(":{taken}\""));
    let mut kills = 0;
    // When the files are in place and the journal goes, and while it waits for the services.
    for (call, count) in (1..=6).flat_map(|count| [("unlink", count), ("clock_nanosleep", count)]) {
        fs::write(site.world.path(TOML), &bad).unwrap();
        if is_killed(&site, call, count) && files() != before {
            kills += 1;
            let ran = site.regctl(&["reconfigure"]);
            assert_eq!(ran.exit, 1, "after {call} {count}: {}{}", ran.stdout, ran.stderr);
            assert!(ran.stderr.contains("the former configuration serves"), "{}", ran.stderr);
        }
        assert_eq!(files(), before, "after {call} {count}");
        fs::write(site.world.path(TOML), &good).unwrap();
        assert_eq!(site.regctl(&["reconfigure"]).exit, 0, "after {call} {count}");
        site.client().get("/v2/").expect(200);
    }
    assert!(kills >= 2, "only {kills} kills with the new files in place");
}
