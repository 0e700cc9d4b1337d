//! TERM to the supervisor while clients are in the middle of something.

use std::{
    io::Read as _,
    net::{Ipv4Addr, TcpStream},
};

use nix::sys::signal::Signal;

use super::Instance;
use crate::{
    faults::Rng,
    support::{
        http::{Connection, Request},
        pusher::{Pusher, digest},
    },
};

const SOCKETS: [&str; 2] = ["run/regctl/supervisor.sock", "run/regctl/registry.sock"];

/// More than the sockets in between hold.
const LARGE: usize = 48 << 20;

/// Asks for a blob and reads nothing of it but its first byte.
fn slow_pull(port: u16, blob: &str) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let request = Request::get(format!("/v2/app/blobs/{blob}")).header("Connection", "close");
    std::io::Write::write_all(&mut stream, &request.bytes()).unwrap();
    stream.peek(&mut [0]).unwrap();
    stream
}

/// Reads the rest; returns the body.
fn finish(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..200]));
    let head = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    answer.split_off(head + 4)
}

/// A slow upload and slow pulls through `port` are finished after TERM, and then nothing is left.
fn everything_is_finished(mut instance: Instance, port: u16) {
    let mut pusher = instance.pusher();
    let large = Rng::new(501).bytes(LARGE);
    assert_eq!(pusher.post_blob("app", &large).unwrap().status, 201);
    let pulls = [(); 3].map(|()| slow_pull(port, &digest(&large)));
    let mut slow = Pusher::new((Ipv4Addr::LOCALHOST, port).into());
    let content = Rng::new(502).bytes(3 << 20);
    let session = slow.session("app").unwrap();
    let target = format!("{}&digest={}", session.location, digest(&content));
    // The registry itself asks for the body: it has taken the request.
    let expect = [("Expect", "100-continue")];
    let mut sending = slow.begin("PUT", &target, &expect, content.len()).unwrap();
    sending.wait_for_interim_answer().unwrap();
    sending.write(&content[..1 << 20]).unwrap();
    let data = || {
        let sessions = instance.store().sessions();
        sessions.iter().any(|it| it.join("data").metadata().is_ok_and(|data| data.len() > 0))
    };
    instance.until("the upload has begun", data);

    instance.signal(Signal::SIGTERM);
    instance.until_nobody_listens();
    instance.until("nobody listens in front", || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()
    });
    let ran = instance.run(&["start"]);
    assert!(ran.exit == 1 && ran.stderr.contains("the supervisor is stopping"), "{ran:?}");

    sending.write(&content[1 << 20..]).unwrap();
    assert_eq!(sending.answer(&mut slow).unwrap().status, 201);
    for pull in pulls {
        assert!(digest(&finish(pull)) == digest(&large));
    }
    assert_eq!(instance.ended(), Some(0));
    assert_eq!(instance.processes(), []);
    for socket in SOCKETS {
        assert!(!instance.world.path(socket).exists(), "{socket}");
    }
    assert!(instance.log().ends_with('\n'));
    // What was acknowledged on the way out is there at the next start.
    instance.supervise();
    assert_eq!(instance.run(&["start"]).exit, 0);
    let blob = instance.pusher().get(&format!("/v2/app/blobs/{}", digest(&content))).unwrap();
    assert!(blob.body == content);
    assert_eq!(instance.store().problems(), [""; 0]);
}

#[test]
fn term_lets_uploads_and_pulls_finish_and_leaves_nothing() {
    let instance = Instance::serving("http_draintimeout = \"20s\"\n");
    let port = instance.port;
    everything_is_finished(instance, port);
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn term_lets_uploads_and_pulls_through_nginx_finish_and_leaves_nothing() {
    let (mut instance, port) = Instance::behind_nginx("http_draintimeout = \"20s\"\n");
    instance.supervise();
    let ran = instance.run(&["start"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    everything_is_finished(instance, port);
}

#[test]
fn a_second_term_ends_everything_at_once() {
    let mut instance = Instance::serving("http_draintimeout = \"1h\"\n");
    let mut pusher = instance.pusher();
    let session = pusher.session("app").unwrap();
    let expect = [("Expect", "100-continue")];
    let mut sending = pusher.begin("PATCH", &session.location, &expect, 10).unwrap();
    sending.wait_for_interim_answer().unwrap();
    instance.signal(Signal::SIGTERM);
    instance.until_nobody_listens();
    assert_eq!(instance.registry()["state"], "stopping");
    instance.signal(Signal::SIGTERM);
    assert_eq!(instance.ended(), Some(0));
    let answer = sending.answer(&mut pusher);
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(instance.processes(), []);
}

/// Who comes while a service stops is told so at once: nobody will ever answer.
#[test]
fn a_registry_that_is_stopped_by_hand_refuses_connections_while_it_drains() {
    let instance = Instance::serving("http_draintimeout = \"1h\"\n");
    let mut pusher = instance.pusher();
    let session = pusher.session("app").unwrap();
    let expect = [("Expect", "100-continue")];
    let mut sending = pusher.begin("PATCH", &session.location, &expect, 10).unwrap();
    sending.wait_for_interim_answer().unwrap();
    assert_eq!(instance.run(&["stop", "--wait", "10ms"]).exit, 1);
    instance.until_nobody_listens();
    assert_eq!(instance.registry()["state"], "stopping");
    sending.write(b"0123456789").unwrap();
    assert_eq!(sending.answer(&mut pusher).unwrap().status, 202);
    let ran = instance.run(&["start"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let answer = Connection::open(instance.port);
    drop(answer);
    assert_eq!(instance.pusher().look(&session).unwrap().unwrap().offset, 10);
}
