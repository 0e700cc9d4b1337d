//! The demo instance: `regctl run` on a folder of its own, as somebody tries it for the first time.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::{Peer, Server, World, free_port};

/// A running instance, stopped when dropped; its folder goes with it.
pub(crate) struct Demo {
    server: Server,
    stopped: Stopped,
}

/// An instance that does not run: its folder can be given to somebody else, and started again.
pub(crate) struct Stopped {
    world: World,
    port: u16,
}

impl Demo {
    pub(crate) fn start() -> Self {
        Stopped::new().start()
    }

    pub(crate) fn port(&self) -> u16 {
        self.stopped.port
    }

    /// Returns `127.0.0.1:PORT/NAME`, as Docker names images.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("127.0.0.1:{}/{name}", self.port())
    }

    /// Stops the instance as Ctrl-C does and returns its access log.
    pub(crate) fn stop(self) -> (Stopped, String) {
        let ran = self.server.stop(Signal::SIGINT);
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        (self.stopped, ran.stdout)
    }
}

impl Stopped {
    /// An instance that has the peer's `http.secret`.
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// The same with more lines in `[registry]`.
    pub(crate) fn with(lines: &str) -> Self {
        let port = free_port();
        let text = format!(
            "[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\nhttp_secret = \"{}\"\n{lines}\n",
            Peer::SECRET
        );
        Self { world: World::with(&text), port }
    }

    pub(crate) fn start(self) -> Demo {
        Demo { server: self.world.serve(&["run"]), stopped: self }
    }

    /// The storage folder, the one that holds `docker`.
    pub(crate) fn storage(&self) -> PathBuf {
        self.world.path("var/opt/regctl/storage")
    }
}
