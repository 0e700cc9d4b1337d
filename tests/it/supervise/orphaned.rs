//! `kill -9` of the supervisor, and two of them at once.

use nix::sys::signal::Signal;

use super::{
    Instance,
    killed::{Pushers, check},
    pid, send,
};

/// Whether a line is one of the registry's two kinds, whole, with one time in front.
fn is_whole(line: &str) -> bool {
    let Some((stamp, said)) = line.split_once(' ') else { return false };
    let is_stamped = stamp.len() == 25 && stamp.as_bytes()[10] == b'_';
    let is_event =
        said.starts_with("time=\"") && said.contains(" level=") && said.contains(" msg=");
    let is_access = said.starts_with("127.0.0.1 - - [") && said.ends_with('"');
    is_stamped && (is_event || is_access)
}

#[test]
fn services_end_with_a_supervisor_that_is_killed_and_the_next_one_serves() {
    let mut instance = Instance::serving("");
    let pushers = Pushers::start(&instance);
    pushers.until_pushed(&instance, 10);
    instance.signal(Signal::SIGKILL);
    assert_eq!(instance.ended(), None, "it ended by a signal");
    instance.until("nothing is left", || instance.processes().is_empty());
    assert_eq!(instance.run(&["status"]).exit, 4);
    instance.supervise();
    let ran = instance.run(&["start"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(instance.registry()["restarts"], 0);
    pushers.until_pushed(&instance, 10);
    check(&instance, &pushers.finish());
    let log = instance.log();
    let broken: Vec<_> = log.lines().filter(|line| !is_whole(line)).collect();
    assert_eq!(broken, [""; 0]);
    let starts = log.lines().filter(|line| line.contains("\"PUT /v2/app/manifests/")).count();
    assert!(starts >= 20, "{log}");
}

/// The registry of a supervisor that was killed finishes its requests; meanwhile another one serves, and both logs are
/// one.
#[test]
fn the_next_supervisor_does_not_wait_for_a_registry_that_still_drains() {
    let mut instance = Instance::serving("http_draintimeout = \"1h\"\n");
    let mut pusher = instance.pusher();
    let session = pusher.session("app").unwrap();
    let expect = [("Expect", "100-continue")];
    let mut sending = pusher.begin("PATCH", &session.location, &expect, 10).unwrap();
    sending.wait_for_interim_answer().unwrap();
    let former = pid(&instance.registry());
    instance.signal(Signal::SIGKILL);
    assert_eq!(instance.ended(), None);
    instance.until_nobody_listens();
    instance.supervise();
    assert_eq!(instance.run(&["start"]).exit, 0);
    assert_ne!(pid(&instance.registry()), former);
    instance.pusher().get("/v2/asked-of-the-new-one/tags/list").unwrap();
    instance.until("the log has it", || instance.log().contains("asked-of-the-new-one"));
    sending.write(b"0123456789").unwrap();
    let answer = sending.answer(&mut pusher);
    let answer = answer.unwrap_or_else(|error| panic!("{error}\n{}", instance.log()));
    assert_eq!(answer.status, 202, "{answer:?}");
    let is_gone = || instance.processes().iter().all(|process| process.pid != former);
    instance.until("the former one has ended", is_gone);
    assert_eq!(instance.pusher().look(&session).unwrap().unwrap().offset, 10);
    instance.until("its last line is there", || instance.log().contains("\"PATCH /v2/app/"));
    assert!(instance.log().lines().all(is_whole), "{}", instance.log());
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn nginx_ends_with_a_supervisor_that_is_killed_too() {
    let (mut instance, _) = Instance::behind_nginx("");
    for _ in 0..2 {
        instance.supervise();
        let ran = instance.run(&["start"]);
        assert_eq!(ran.exit, 0, "{ran:?}");
        let nginx = pid(&instance.service("nginx"));
        let workers = instance.processes().iter().filter(|it| it.parent == nginx).count();
        assert!(workers > 0, "{:#?}", instance.processes());
        instance.signal(Signal::SIGKILL);
        assert_eq!(instance.ended(), None);
        instance.until("nothing is left", || instance.processes().is_empty());
    }
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn workers_end_with_a_master_of_nginx_that_is_killed_and_the_next_one_listens() {
    let (mut instance, port) = Instance::behind_nginx("");
    instance.supervise();
    assert_eq!(instance.run(&["start"]).exit, 0);
    let registry = pid(&instance.registry());
    let nginx = pid(&instance.service("nginx"));
    send(nginx, Signal::SIGKILL);
    let others = || instance.processes().into_iter().filter(|process| process.group == nginx);
    instance.until("its workers have ended", || others().next().is_none());
    let ran = instance.run(&["start", "nginx"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let url = format!("http://localhost:{port}/v2/");
    assert_eq!(crate::support::client().get(url).send().unwrap().status(), 200);
    assert_eq!(pid(&instance.registry()), registry);
    assert_eq!(instance.service("nginx")["last_end"]["how"], "signal KILL");
}

#[test]
fn a_second_supervisor_says_who_is_there_and_changes_nothing() {
    let instance = Instance::serving("");
    let before = instance.registry();
    let ran = instance.run(&["supervise"]);
    let running =
        format!("error: another supervisor serves this instance (pid {})\n", instance.supervisor());
    assert_eq!((ran.exit, ran.stdout.as_str()), (75, ""));
    assert!(ran.stderr.starts_with(&running), "{}", ran.stderr);
    let ran = instance.run(&["run"]);
    assert_eq!(ran.exit, 75, "{ran:?}");
    assert!(ran.stderr.starts_with(&running), "{}", ran.stderr);
    assert_eq!(
        (instance.registry()["pid"].clone(), &instance.registry()["starts"]),
        (before["pid"].clone(), &before["starts"])
    );
    // Of many at once one is left.
    let mut instance = instance;
    instance.signal(Signal::SIGTERM);
    assert_eq!(instance.ended(), Some(0));
    let mut all: Vec<_> =
        (0..6).map(|_| instance.world.command(&["supervise"]).spawn().unwrap()).collect();
    instance.until("one of them answers", || instance.run(&["status"]).exit == 0);
    let ran = instance.run(&["status", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let one = document["supervisor"].as_u64().unwrap();
    let (stays, others): (Vec<_>, Vec<_>) =
        all.drain(..).partition(|child| u64::from(child.id()) == one);
    for mut child in others {
        assert_eq!(child.wait().unwrap().code(), Some(75));
    }
    instance.supervisor = stays.into_iter().next();
    assert_eq!(instance.supervisor().cast_unsigned(), u32::try_from(one).unwrap());
}
