//! A registry with some `auth`, and requests that say who they are from.

use std::{fs, path::PathBuf, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{
    Ran, Server, World,
    http::{Answer, Client, Request},
    issuer::Issuer,
};

/// `ann` with the password `secret`, `bob` with `hunter2`, as `htpasswd -nbB -C 5` writes them.
pub(super) const ANN: &str = "ann:$2y$05$EgsJRnpxNPOy5eQPCkPzeOEjkkeR.VoJZ4JpvT5OFofeF8VJjixGy\n";
pub(super) const BOB: &str = "bob:$2y$05$8jcDJLrdF6IaZFNmpqMkxOt5feUemNKsXF.yk0AK/scOpmmWxNRJG\n";

/// A registry in its own process.
pub(super) struct Registry {
    pub(super) world: World,
    server: Server,
    pub(super) port: u16,
}

impl Registry {
    /// A registry with this `auth`, whose files are written first.
    pub(super) fn start(auth: impl FnOnce(&World) -> Value) -> Self {
        Self::start_as(World::new(), auth, |_| {})
    }

    /// The same on a system that trusts this authority and no other.
    pub(super) fn start_trusting(authority: &str, auth: impl FnOnce(&World) -> Value) -> Self {
        let world = World::new();
        let path = world.path("authority.crt");
        fs::write(&path, authority).unwrap();
        Self::start_as(world, auth, |command| {
            command.env("SSL_CERT_FILE", path).env_remove("SSL_CERT_DIR");
        })
    }

    fn start_as(
        world: World,
        auth: impl FnOnce(&World) -> Value,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let auth = auth(&world);
        let config = config(&world, &auth);
        let mut command = world.command(&["registry", "serve", config.to_str().unwrap()]);
        prepare(&mut command);
        let server = Server::start(command, world.root());
        let port = server.greeting.trim_end().rsplit(':').next().unwrap().parse().unwrap();
        Self { world, server, port }
    }

    pub(super) fn with_passwords(lines: &str) -> Self {
        Self::start(|world| htpasswd(world, lines))
    }

    pub(super) fn with_tokens_of(issuer: &Issuer) -> Self {
        Self::start(|world| token(world, issuer))
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.port)
    }

    /// Asks on a connection of its own.
    pub(super) fn ask(&self, request: &Request) -> Answer {
        self.client().ask(request)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.world.path(name), text).unwrap();
    }

    /// What it said before it listened.
    pub(super) fn greeting(&self) -> &str {
        &self.server.greeting
    }

    /// Stops it; returns both logs.
    pub(super) fn stop(self) -> Ran {
        let ran = self.server.stop(Signal::SIGTERM);
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        ran
    }
}

/// Writes a config.yml with this `auth`.
pub(super) fn config(world: &World, auth: &Value) -> PathBuf {
    let config = json!({
        "version": 0.1,
        "log": { "level": "debug" },
        "storage": {
            "filesystem": { "rootdirectory": world.path("data") },
            "delete": { "enabled": true },
        },
        "http": { "addr": "127.0.0.1:0", "secret": "of this registry" },
        "auth": auth,
    });
    let path = world.path("config.yml");
    // JSON is YAML.
    fs::write(&path, config.to_string()).unwrap();
    path
}

pub(super) fn htpasswd(world: &World, lines: &str) -> Value {
    let path = world.path("htpasswd");
    fs::write(&path, lines).unwrap();
    json!({ "htpasswd": { "realm": "Registry Realm", "path": path } })
}

pub(super) fn token(world: &World, issuer: &Issuer) -> Value {
    let path = world.path("root.crt");
    fs::write(&path, issuer.certificate()).unwrap();
    json!({ "token": {
        "realm": "https://gitlab.example.com/jwt/auth",
        "service": Issuer::SERVICE,
        "issuer": Issuer::NAME,
        "rootcertbundle": path,
    } })
}

/// The value of `Authorization` for a name and a password.
pub(super) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// Adds a token.
pub(super) fn bearing(request: Request, token: &str) -> Request {
    request.header("Authorization", format!("Bearer {token}"))
}
