//! The vhost: what nginx makes of it, and what clients see through it.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{edit, touched};
use crate::support::{World, free_port, program};

const NGINX_CONF: &str = "var/opt/regctl/nginx/conf/nginx.conf";
const SERVICES: &str = "var/opt/regctl/state/services.json";
const VHOST: &str = "var/opt/regctl/nginx/conf/registry.conf";

/// nginx in the foreground, stopped when dropped.
struct Nginx(Child);

impl Nginx {
    fn start(world: &World, port: u16) -> Self {
        let mut command = Command::new("nginx");
        command.arg("-c").arg(world.path(NGINX_CONF)).arg("-p").arg(world.root());
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let nginx = Self(child);
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen on {port}");
            thread::yield_now();
        }
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // TERM, so that its workers end too; it may have ended by itself.
        let _ = kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// Writes a certificate for `localhost`, which is its own authority.
fn certify(world: &World) -> String {
    fs::create_dir_all(world.path("etc/regctl/ssl")).unwrap();
    let [key, certificate] = ["key", "crt"]
        .map(|end| format!("{}/etc/regctl/ssl/localhost.{end}", world.root().display()));
    let arguments = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost";
    let mut arguments: Vec<_> = arguments.split(' ').collect();
    arguments.extend(["-keyout", &key, "-out", &certificate]);
    program::run("openssl", &arguments);
    certificate
}

/// Begins an upload and returns the head of the answer.
fn begin_upload(url: &str, more: &[&str]) -> String {
    let url = format!("{url}/v2/app/blobs/uploads/");
    let mut arguments = vec!["-sS", "-D", "-", "-o", "/dev/null", "-X", "POST"];
    arguments.extend(more);
    arguments.push(&url);
    program::run("curl", &arguments)
}

fn location(head: &str) -> &str {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("location: "));
    line.unwrap_or_else(|| panic!("no Location in:\n{head}")).split_once(' ').unwrap().1.trim()
}

/// A world with this URL, and a registry behind nginx; `env` is the registry's environment.
fn instance(scheme: &str, port: u16, env: &str, vhost: &str) -> World {
    let registry = free_port();
    World::with(&format!(
        "registry_external_url = \"{scheme}://localhost:{port}\"\n[registry]\nregistry_http_addr = \"127.0.0.1:{registry}\"\nenv = {{{env}}}\n[registry.nginx]\nenable = true\n{vhost}"
    ))
}

fn reconfigured(world: &World) {
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
}

fn serve(world: &World) -> crate::support::Server {
    let config = world.path(super::CONFIG_YML);
    world.serve(&["registry", "serve", config.to_str().unwrap()])
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn location_keeps_scheme_host_and_port_behind_tls() {
    let (port, plain) = (free_port(), free_port());
    let more = format!(
        "http2_enabled = true\nredirect_http_to_https = true\nredirect_http_to_https_port = {plain}\n"
    );
    let world = instance("https", port, "", &more);
    let authority = certify(&world);
    reconfigured(&world);
    let _registry = serve(&world);
    let _nginx = Nginx::start(&world, port);
    let url = format!("https://localhost:{port}");
    for version in ["--http1.1", "--http2"] {
        let head = begin_upload(&url, &["--cacert", &authority, version]);
        assert!(location(&head).starts_with(&format!("{url}/v2/app/blobs/uploads/")), "{head}");
        let head = head.to_ascii_lowercase();
        assert!(head.contains("strict-transport-security: max-age=63072000"), "{head}");
    }
    // On the scheme's own port clients name none.
    let host = ["--cacert", &authority, "-H", "Host: registry.example.com"];
    let head = begin_upload(&url, &host);
    assert!(location(&head).starts_with("https://registry.example.com/v2/"), "{head}");
    let head = begin_upload(&format!("http://localhost:{plain}"), &[]);
    assert_eq!(location(&head), format!("{url}/v2/app/blobs/uploads/"));
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn location_keeps_host_and_port_behind_plain_http_and_may_be_relative() {
    for (relative, start) in [(false, "http://localhost:PORT/v2/"), (true, "/v2/")] {
        let port = free_port();
        let env = format!("REGISTRY_HTTP_RELATIVEURLS = {relative}");
        let world = instance("http", port, &env, "");
        reconfigured(&world);
        let config = world.path(super::CONFIG_YML);
        let mut command = world.command(&["registry", "serve", config.to_str().unwrap()]);
        command.env("REGISTRY_HTTP_RELATIVEURLS", relative.to_string());
        let _registry = crate::support::Server::start(command, world.root());
        let _nginx = Nginx::start(&world, port);
        let head = begin_upload(&format!("http://localhost:{port}"), &[]);
        let start = start.replace("PORT", &port.to_string());
        assert!(location(&head).starts_with(&start), "{head}");
        assert!(!head.to_ascii_lowercase().contains("strict-transport"), "{head}");
    }
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn what_nginx_would_refuse_replaces_nothing() {
    let port = free_port();
    let world = instance("https", port, "", "");
    let before = touched(&world);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("[ROOT]/etc/regctl/ssl/localhost.crt"), "{}", ran.stderr);
    assert_eq!(touched(&world), before);
    certify(&world);
    let text = world.read("etc/regctl/instance.toml");
    edit(&world, &format!("{text}\n[nginx]\ncustom_nginx_config = \"no_such_directive on;\"\n"));
    let before = touched(&world);
    let ran = world.run(&["reconfigure"]);
    assert_eq!(ran.exit, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("nginx would refuse"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no_such_directive"), "{}", ran.stderr);
    assert_eq!(touched(&world), before);
    edit(&world, &text);
    reconfigured(&world);
    assert_eq!((world.mode(VHOST), world.mode(NGINX_CONF)), (0o644, 0o644));
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn every_setting_of_the_vhost_is_one_that_nginx_takes() {
    let port = free_port();
    let more = r#"listen_addresses = ["127.0.0.1", "[::1]"]
http2_enabled = true
proxy_protocol = true
real_ip_trusted_addresses = ["10.0.0.0/8", "fd00::/8"]
real_ip_recursive = "on"
ssl_client_certificate = "etc/regctl/ssl/localhost.crt"
ssl_verify_client = "optional"
ssl_verify_depth = 2
ssl_ecdh_curve = "X25519:prime256v1"
hsts_max_age = 60
hsts_include_subdomains = true
client_max_body_size = "10GiB"
proxy_set_headers = { X-Team = "images; and \"more\"", X-Forwarded-Ssl = false }
custom_gitlab_server_config = "location = /up { return 204; }"
"#;
    let world = instance("https", port, "", more);
    certify(&world);
    reconfigured(&world);
    let vhost = world.read(VHOST);
    for line in [
        &format!("listen [::1]:{port} proxy_protocol ssl"),
        "real_ip_header proxy_protocol;",
        "real_ip_recursive on;",
        "set_real_ip_from fd00::/8;",
        "proxy_set_header X-Real-IP \"$proxy_protocol_addr\";",
        "proxy_set_header X-Team \"images; and \\\"more\\\"\";",
        "ssl_verify_client optional;",
        "ssl_verify_depth 2;",
        "max-age=60; includeSubDomains",
        "client_max_body_size 10737418240;",
        "location = /up { return 204; }",
    ] {
        assert!(vhost.contains(line), "no `{line}` in:\n{vhost}");
    }
    assert!(!vhost.contains("X-Forwarded-Ssl"), "{vhost}");
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn a_registry_that_is_switched_off_has_no_vhost() {
    let port = free_port();
    let world = instance("http", port, "", "");
    reconfigured(&world);
    assert!(world.path(VHOST).exists() && world.path(NGINX_CONF).exists());
    let text = world.read("etc/regctl/instance.toml");
    edit(&world, &text.replace("[registry]\n", "[registry]\nenable = false\n"));
    let ran = world.run(&["reconfigure"]);
    assert_eq!(
        ran.stdout,
        format!(
            "removed [ROOT]/{VHOST}\nremoved [ROOT]/{NGINX_CONF}\nreplaced [ROOT]/{SERVICES}\n"
        )
    );
    edit(
        &world,
        &text.replace("[registry.nginx]\nenable = true", "[registry.nginx]\nenable = false"),
    );
    reconfigured(&world);
    assert!(world.path(VHOST).exists() && !world.path(NGINX_CONF).exists());
}
