//! The admin socket: a running registry is asked and told over a unix socket, by its own user or root.
//!
//! The protocol is HTTP/1.1 with JSON bodies. Whoever makes the socket gives it the mode 0600; besides, the kernel is
//! asked who has connected, and a connection of anybody else is closed without a word, and logged. It is served from
//! the start of the server to its end, while that one drains too. Every answer, errors too, has `"schema": 1`;
//! fields may be added under the same number. What a request may hold is all named here: an unknown field is an error.
//!
//! `GET /v1/status` answers 200. Numbers count from the start of the process; `unhealthy` has the health checks that fail, with
//! what they say:
//!
//! ```json
//! {"schema": 1, "version": "0.1.0", "pid": 4711, "started_at": "2026-11-22T18:30:00Z", "uptime_seconds": 62,
//!  "read_only": false, "draining": false, "writes_in_flight": 0, "unhealthy": {},
//!  "connections": {"open": 3, "accepted": 17}, "requests": {"in_flight": 1, "served": 154},
//!  "leases": {"digests": 12, "full": false, "complete": true},
//!  "bytes": {"received": 73120, "sent": 9120433, "sent_of_files": 8388608},
//!  "quotas": [{"repositories": "group/**", "max_size": 10737418240, "used": 73120, "counted": 1795392000, "problem": null}]}
//! ```
//!
//! `counted` is when all links were counted last, in seconds since 1970; null: never, so that more than `used` may be there.
//!
//! `PUT /v1/read-only` switches. `wait_quiet`, only with `true`, waits up to ten minutes for the writes that began before;
//! the switch itself has happened whatever comes of the wait, and if the client goes away. `brief`, only with `true`, says that it is for some
//! seconds: who writes waits for the end, and gets 503 after 10 s, not 405:
//!
//! ```json
//! {"enabled": true, "wait_quiet": "10s", "brief": true}
//! ```
//!
//! and answers 200; `quiet` says that nothing is written any more:
//!
//! ```json
//! {"schema": 1, "read_only": true, "was": false, "quiet": true, "writes_in_flight": 0}
//! ```
//!
//! `POST /v1/reload` reads the configuration again and answers 200 with the keys of `config.yml` that differ:
//!
//! ```json
//! {"schema": 1, "applied": ["log.level"], "needs_restart": ["http.addr"]}
//! ```
//!
//! or, when it cannot be used, 422; nothing has changed then:
//!
//! ```json
//! {"schema": 1, "error": "the configuration is not usable", "problems": ["line 3, column 5: `http.adr`: …"]}
//! ```
//!
//! `GET /v1/events` answers 200 with what each endpoint of `notifications` has been told since the start of the process, and what
//! waits for it; `trouble` is null after a success:
//!
//! ```json
//! {"schema": 1, "endpoints": [{"name": "hooks", "url": "https://hooks.example.com/", "durable": true, "delivering": true,
//!  "pending": 2, "pending_bytes": 1302, "dead": 0, "delivered": 40, "failures": 3, "given_up": 0, "lost": 0,
//!  "statuses": {"200": 40}, "trouble": "it cannot be reached: connection refused"}]}
//! ```
//!
//! `POST /v1/events` does something to the events of one endpoint: `replay` puts those that were given up at the end of its queue,
//! `forget-dead` and `forget-pending` drop events:
//!
//! ```json
//! {"endpoint": "hooks", "wish": "replay"}
//! ```
//!
//! and answers 200 with `{"schema": 1, "events": 3}`, how many it was done to; 404 if there is no such endpoint, 409 if this
//! process does not deliver to it, 500 if its files cannot be used.
//!
//! `POST /v1/collection` with `{"schema": 1, "store": "filesystem fd01 2a", "place": "`/srv/registry`"}` begins a collection of that store, which must be the
//! one that is served, that lasts as long as its connection, and answers 200 with `{"schema": 1, "up": 7300}`
//! (seconds that the registry has been up), or 409 with the reason. No promise ends meanwhile. `POST` of these, on the same connection, goes on with it (409: it has not begun, or has come to an end):
//!
//! - `/v1/collection/promised` with `{"digests": ["sha256:…"]}` answers `{"schema": 1, "promised": [true]}`: which of them a client was told of
//!   lately, so that they and what they refer to are to be kept.
//! - `/v1/collection/remove` removes what nobody was told of, and what was not written since `before` (seconds since 1970); with
//!   `quarantine` it is moved there. The answers stand in the order of the items, each `removed`, `vanished`, `promised`, `young`, `served` (it is no
//!   collection's) or `failed: ` and why:
//!
//! ```json
//! {"before": 1795392000, "quarantine": null, "items": [
//!   {"kind": "tag-index", "repository": "a/b", "tag": "v1", "digest": "sha256:…"},
//!   {"kind": "revision", "repository": "a/b", "digest": "sha256:…"},
//!   {"kind": "layer", "repository": "a/b", "digest": "sha256:…"}, {"kind": "blob", "digest": "sha256:…"}]}
//! ```
//!
//! ```json
//! {"schema": 1, "answers": ["removed", "vanished", "promised", "failed: …"]}
//! ```
//!
//! - `/v1/collection/sync` makes durable what was removed.
//!
//! `POST /v1/changes` changes tags, each only if it is what it was when that was decided, and tells of those that go as events:
//!
//! ```json
//! {"changes": [{"kind": "delete-tag", "repository": "a/b", "tag": "v1", "digest": "sha256:…"},
//!   {"kind": "restore-tag", "repository": "a/b", "tag": "v2", "digest": "sha256:…"}]}
//! ```
//!
//! It answers 200, in the order of the changes, with `done`, `vanished`, `moved` (it points elsewhere by now, or is there again),
//! `no-manifest` or `failed: ` and why; 409 while the registry is read-only:
//!
//! ```json
//! {"schema": 1, "answers": ["done", "moved"]}
//! ```
//!
//! `POST /v1/repairs` makes repairs, each only if it is still needed and still proved when the registry looks at it under its locks.
//! `begin` makes a quarantine, to which `quarantine` moves a blob whose bytes are not what its name says:
//!
//! ```json
//! {"store": "filesystem fd01 1a2b", "repairs": [{"kind": "folders", "repository": "a/b"},
//!   {"kind": "tag-index", "repository": "a/b", "tag": "v1", "digest": "sha256:…"},
//!   {"kind": "tag", "repository": "a/b", "tag": "v1", "digest": "sha256:…"},
//!   {"kind": "revision", "repository": "a/b", "digest": "sha256:…"},
//!   {"kind": "layer", "repository": "a/b", "digest": "sha256:…", "manifest": "sha256:…"},
//!   {"kind": "dangling", "repository": "a/b", "digest": "sha256:…"},
//!   {"kind": "begin", "run": "20261123T025500Z-0a1b2c3d", "index": "…"},
//!   {"kind": "quarantine", "digest": "sha256:…", "run": "20261123T025500Z-0a1b2c3d"}]}
//! ```
//!
//! It answers 200, in the order of the repairs, with `done`, `unneeded`, or `failed` and why; 409 while the registry is read-only,
//! or where it serves another store than the one with the identity `store`:
//!
//! ```json
//! {"schema": 1, "answers": [{"outcome": "done"}, {"outcome": "failed", "reason": "…"}]}
//! ```
//!
//! `POST /v1/pull` looks at a tag and all that it names, as a client would; with `read` every byte is read and hashed:
//!
//! ```json
//! {"repository": "a/b", "tag": "v1", "read": true}
//! ```
//!
//! It answers 200 with what the tag points to, and how much that is, manifests included; 409 with the reason if anything is not there or not
//! what its name says:
//!
//! ```json
//! {"schema": 1, "digest": "sha256:…", "blobs": 4, "bytes": 31200}
//! ```
//!
//! `POST /v1/journal` with `{"wish": "begin", "run": "4711-1795392000"}` has written down what is changed from then on, and answers `{"schema": 1}`;
//! a journal of another run ends. `"wish": "read"` reads it, from the place that the former answer has named as `next`:
//!
//! ```json
//! {"schema": 1, "complete": true, "next": null, "things": [
//!   {"kind": "tag", "repository": "a/b", "tag": "v1"}, {"kind": "blob", "digest": "sha256:…"},
//!   {"kind": "folder", "repository": "a/b", "part": "layers"}]}
//! ```
//!
//! What it names was made, changed or removed (a tag: with its history), or somebody has tried to; a folder was made. `complete` is false where something
//! was changed that it does not name, or another process may have done so; 404: this process has no journal of that run. `"wish": "end"` forgets it.
//!
//! Other errors have only `error`: 400 for a body that cannot be read, 404 for an unknown path, 405 for a wrong
//! method, 408 for a body that does not come, 413 for one that is too long.

mod answer;
mod collection;
mod document;

use std::{future::Future, io, os::unix::net::UnixListener, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::geteuid;
use tokio::{net::UnixStream, sync::Semaphore, task::JoinSet, time::sleep};
use tokio_io_timeout::TimeoutStream;

use crate::control::Reloader;
use collection::Session;

/// Connections at once; the next one waits in the kernel's queue.
const CONNECTIONS: usize = 32;

/// A client that has not sent its headers by then is none; nor is one that asks for nothing more.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The headers of a request.
const BUFFER_BYTES: usize = 16 * 1024;

/// Serves the admin socket of a server until that one has ended.
///
/// The listener stays its maker's: its file is not removed.
///
/// # Errors
/// The listener cannot be used by the runtime that this is called in.
pub fn serve(
    listener: UnixListener,
    reloader: Reloader,
) -> io::Result<impl Future<Output = ()> + Send> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::UnixListener::from_std(listener)?;
    Ok(async move {
        let control = reloader.control().clone();
        tokio::select! {
            () = control.ended() => {}
            () = accept_all(listener, reloader) => {}
        }
    })
}

/// Serves as [`serve`] does, in a task of its own.
///
/// # Errors
/// The listener cannot be used by the runtime that this is called in.
pub fn spawn(listener: UnixListener, reloader: Reloader) -> io::Result<()> {
    tokio::spawn(serve(listener, reloader)?);
    Ok(())
}

/// Accepts connections for ever. They end with this: the set is dropped.
async fn accept_all(listener: tokio::net::UnixListener, reloader: Reloader) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await;
        let stream = accept(&listener).await;
        while connections.try_join_next().is_some() {}
        if !is_welcome(&stream) {
            continue;
        }
        let reloader = reloader.clone();
        connections.spawn(async move {
            let _permit = permit;
            attend(stream, &reloader).await;
        });
    }
}

/// Accepts a connection. Running out of descriptors is waited out, not died of.
async fn accept(listener: &tokio::net::UnixListener) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::error!(%error, "failed to accept a connection on the admin socket");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Whether the other end is this process's user, or root. The kernel says who it was when it connected.
fn is_welcome(stream: &UnixStream) -> bool {
    match stream.peer_cred() {
        Ok(peer) if may_control(peer.uid(), geteuid().as_raw()) => true,
        Ok(peer) => {
            let (uid, pid) = (peer.uid(), peer.pid());
            tracing::warn!(uid, pid, "a user who may not was sent away from the admin socket");
            false
        }
        Err(error) => {
            tracing::error!(%error, "nobody says who has connected to the admin socket");
            false
        }
    }
}

fn may_control(uid: u32, own: u32) -> bool {
    uid == own || uid == 0
}

async fn attend(stream: UnixStream, reloader: &Reloader) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    // A collection that has begun here ends with the connection.
    let session = Session::default();
    let service = service_fn(|request| answer::answer(reloader, &session, request));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(BUFFER_BYTES);
    let serving = builder.serve_connection(TokioIo::new(Box::pin(stream)), service);
    if let Err(error) = serving.await {
        tracing::debug!(%error, "connection to the admin socket ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::may_control;

    #[test]
    fn the_own_user_and_root_may_control_and_nobody_else() {
        assert!(may_control(0, 0) && may_control(0, 999) && may_control(999, 999));
        assert!(!may_control(1000, 999) && !may_control(1000, 0) && !may_control(999, 0));
    }
}
