//! A site: an instance that ends TLS, an authority that its users trust, and a user.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::client::Client;
use crate::support::{
    Network, Ran, Server, World,
    certificate::Authority,
    free_port,
    http::{Connection, Request},
    issuer::Issuer,
    network,
};

pub(super) const TOML: &str = "etc/regctl/instance.toml";
pub(super) const CONFIG_YML: &str = "var/opt/regctl/registry/config.yml";
pub(super) const VHOST: &str = "var/opt/regctl/nginx/conf/registry.conf";
pub(super) const SERVICES: &str = "var/opt/regctl/state/services.json";

pub(super) const USER: &str = "ann";
pub(super) const PASSWORD: &str = "pass:word of ann";

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who ends TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Front {
    /// A supervised nginx.
    Nginx,
    /// Nobody stands in front: the registry itself.
    Registry,
}

/// What an instance.toml says besides where everything listens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines<'a> {
    /// Of [registry].
    pub(super) registry: &'a str,
    /// Of [registry.nginx].
    pub(super) nginx: &'a str,
    /// Other tables.
    pub(super) tables: &'a str,
}

/// A site, stopped when dropped.
pub(super) struct Site {
    server: Option<Server>,
    network: Option<Network>,
    front: Front,
    pub(super) world: World,
    pub(super) authority: Authority,
    /// What users type: without a port where it is the scheme's own.
    pub(super) name: String,
    pub(super) port: u16,
    /// Where the registry itself listens.
    pub(super) registry_port: u16,
}

impl Site {
    /// A site that runs on free ports of loopback.
    pub(super) fn start(lines: Lines<'_>) -> Self {
        Self::behind(Front::Nginx, lines)
    }

    /// The same, with TLS ended by whom one likes.
    pub(super) fn behind(front: Front, lines: Lines<'_>) -> Self {
        Self::new("localhost", free_port(), None, front).with(lines)
    }

    /// A site that runs at `registry.example.com` in a network of its own, where it has every port.
    pub(super) fn within(network: Network, port: u16, lines: Lines<'_>) -> Self {
        Self::bare(network, port).with(lines)
    }

    /// The same with a registry that ends TLS itself.
    pub(super) fn direct_within(network: Network, port: u16, lines: Lines<'_>) -> Self {
        Self::new(network::HOST, port, Some(network), Front::Registry).with(lines)
    }

    /// The same place without an instance.
    pub(super) fn bare(network: Network, port: u16) -> Self {
        Self::new(network::HOST, port, Some(network), Front::Nginx)
    }

    fn new(host: &str, port: u16, network: Option<Network>, front: Front) -> Self {
        let name = if port == 443 { host.to_owned() } else { format!("{host}:{port}") };
        let (world, authority) = (World::new(), Authority::new());
        let registry_port = if front == Front::Nginx { free_port() } else { port };
        // nginx's workers, and the registry where it has an account, pass through on their way.
        fs::set_permissions(world.root(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { server: None, network, front, world, authority, name, port, registry_port }
    }

    /// A site on free ports of loopback, with the tokens of an issuer that listens there.
    pub(super) fn with_tokens(front: Front, issuer: &Issuer, realm: &str) -> Self {
        Self::new("localhost", free_port(), None, front).with_issuer(issuer, realm)
    }

    /// The same in a network of its own, where the issuer listens too.
    pub(super) fn with_tokens_within(network: Network, front: Front) -> Self {
        let issuer = Arc::new(Issuer::new());
        let realm = issuer.serve_on(network.listen(), USER, PASSWORD);
        Self::new(network::HOST, 5050, Some(network), front).with_issuer(&issuer, &realm)
    }

    fn with_issuer(mut self, issuer: &Issuer, realm: &str) -> Self {
        let (origin, _) = realm.split_once("/jwt/auth").unwrap();
        let registry = format!(
            "token_realm = \"{origin}\"\ninternal_key = '''\n{}'''\ninternal_certificate = '''\n{}'''\n",
            issuer.key(),
            issuer.certificate()
        );
        let tables = format!("[gitlab_rails]\nregistry_issuer = \"{}\"\n", Issuer::NAME);
        let lines = Lines { registry: &registry, tables: &tables, ..Lines::default() };
        let text = format!("external_url = \"https://gitlab.example.com\"\n{}", self.text(lines));
        self.certify();
        fs::write(self.world.path(TOML), text).unwrap();
        self.serve();
        self
    }

    /// What instance.toml says.
    fn text(&self, lines: Lines<'_>) -> String {
        let Lines { registry, nginx, tables } = lines;
        let Self { name, registry_port, .. } = self;
        // In a network of its own the name is that of an address which is not loopback.
        let address = match (self.front, &self.network) {
            (Front::Registry, Some(_)) => "0.0.0.0",
            (Front::Nginx, _) | (Front::Registry, None) => "127.0.0.1",
        };
        let front = match self.front {
            Front::Nginx => format!("[registry.nginx]\nenable = true\n{nginx}"),
            Front::Registry => {
                let file = format!("etc/regctl/ssl/{}", self.host());
                format!(
                    "[registry.nginx]\nenable = false\n[registry.http.tls]\n\
                     certificate = \"{file}.crt\"\nkey = \"{file}.key\"\n"
                )
            }
        };
        format!(
            "registry_external_url = \"https://{name}\"\n[registry]\n\
             registry_http_addr = \"{address}:{registry_port}\"\n{registry}\n{front}\n{tables}"
        )
    }

    /// Writes instance.toml, adds the user, and starts everything.
    fn with(mut self, lines: Lines<'_>) -> Self {
        let tables = format!("[registry.auth.htpasswd]\nrealm = \"Registry\"\n{}", lines.tables);
        let text = self.text(Lines { tables: &tables, ..lines });
        self.certify();
        fs::write(self.world.path(TOML), text).unwrap();
        let said = self.regctl_with(&["user", "add", USER, "--password-stdin"], PASSWORD);
        assert_eq!(said.exit, 0, "{}", said.stderr);
        self.serve();
        self
    }

    /// Starts everything.
    pub(super) fn serve(&mut self) {
        self.server = Some(Server::start(self.command(&["run"]), self.world.root()));
    }

    /// Gives whoever ends TLS a new certificate of the authority, as whoever renews it does.
    pub(super) fn certify(&self) {
        let host = self.host();
        let pair = self.authority.issue(host);
        fs::create_dir_all(self.world.path("etc/regctl/ssl")).unwrap();
        for (end, text) in [("crt", pair.certificate), ("key", pair.key)] {
            fs::write(self.world.path(&format!("etc/regctl/ssl/{host}.{end}")), text).unwrap();
        }
    }

    pub(super) fn host(&self) -> &str {
        self.name.split(':').next().unwrap()
    }

    pub(super) fn network(&self) -> &Network {
        self.network.as_ref().unwrap()
    }

    /// Returns an image's name as users type it.
    pub(super) fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    /// Prepares a command on this site.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let command = self.world.command(arguments);
        self.network.as_ref().map_or_else(|| self.world.command(arguments), |it| it.enter(&command))
    }

    pub(super) fn regctl(&self, arguments: &[&str]) -> Ran {
        self.world.finish(self.command(arguments))
    }

    /// Runs a command that reads this text.
    pub(super) fn regctl_with(&self, arguments: &[&str], text: &str) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        Ran::new(child.wait_with_output().unwrap(), self.world.root())
    }

    /// Applies what was edited; returns what was done.
    #[track_caller]
    pub(super) fn reconfigure(&self) -> String {
        let ran = self.regctl(&["reconfigure"]);
        assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Replaces something that instance.toml says.
    #[track_caller]
    pub(super) fn edit(&self, from: &str, to: &str) {
        let text = self.world.read(TOML);
        assert!(text.contains(from), "no `{from}` in:\n{text}");
        fs::write(self.world.path(TOML), text.replacen(from, to, 1)).unwrap();
    }

    /// A client that trusts the authority and is the user.
    pub(super) fn client(&self) -> Client {
        Client::new(self.host(), self.port, &self.authority.certificate)
            .with_password(USER, PASSWORD)
    }

    /// Begins a request to the registry itself whose body, five bytes, is not there yet.
    pub(super) fn begin_request(&self) -> Connection {
        let begin = Request::new("POST", "/v2/app/blobs/uploads/").body("");
        let location = self.client().answer(&begin).expect(202).location();
        let mut connection = Connection::open(self.registry_port);
        let request = Request::new("PATCH", location)
            .header("Authorization", self.client().authorization())
            .header("Expect", "100-continue")
            .header("Content-Length", "5");
        connection.send(&request.bytes());
        assert_eq!(connection.answer("HEAD").unwrap().status, 100);
        connection
    }

    /// What the supervisor says of a service.
    pub(super) fn service(&self, name: &str) -> Value {
        let mut socket =
            UnixStream::connect(self.world.path("run/regctl/supervisor.sock")).unwrap();
        socket.write_all(b"{\"command\":\"status\"}\n").unwrap();
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        let services = answer["is"]["services"].as_array().unwrap();
        services.iter().find(|service| service["name"] == name).unwrap().clone()
    }

    /// The services' processes.
    pub(super) fn pids(&self) -> [Value; 2] {
        ["registry", "nginx"].map(|name| self.service(name)["pid"].clone())
    }

    /// Stops everything as Ctrl-C does; returns what was logged.
    pub(super) fn stop(&mut self) -> Ran {
        self.server.take().unwrap().stop(Signal::SIGINT)
    }
}

/// Looks until something is so.
#[track_caller]
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {} s: {what}", PATIENCE.as_secs());
        // The processors are for what is waited for.
        thread::sleep(Duration::from_millis(5));
    }
}
