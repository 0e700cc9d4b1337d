//! `Location` through nginx: it keeps the scheme, the host and the port that the client has used, and leads there.

use super::{
    client::Client,
    fixture::{Lines, Site},
};
use crate::support::http::{Request, sha256};

/// Begins an upload and returns what `Location` says.
fn begun(client: &Client, host: Option<&str>) -> String {
    let mut request = Request::new("POST", "/v2/group/app/blobs/uploads/").body("");
    if let Some(host) = host {
        request = request.header("Host", host);
    }
    let answer = client.answer(&request).expect(202);
    answer.header("location").unwrap().to_owned()
}

/// Ends an upload where its `Location` leads; returns that of the blob.
fn ended(client: &Client, location: &str, start: &str) -> String {
    let target = location.strip_prefix(start).unwrap_or_else(|| panic!("{location}"));
    let (target, content) = (format!("/{target}"), b"a layer".to_vec());
    let target = format!("{target}&digest={}", sha256(&content));
    let answer = client.answer(&Request::new("PUT", target).body(content)).expect(201);
    answer.header("location").unwrap().to_owned()
}

/// Pushes a blob along its locations, which all start like this.
fn follow(client: &Client, start: &str) {
    let location = begun(client, None);
    let blob = ended(client, &location, start);
    let target = blob.strip_prefix(start).unwrap_or_else(|| panic!("{blob}"));
    assert_eq!(client.get(&format!("/{target}")).expect(200).body, b"a layer");
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn locations_keep_the_port_that_is_not_the_schemes_own() {
    let site = Site::start(Lines::default());
    follow(&site.client(), &format!("https://{}/", site.name));
    // Where users go through a forwarded port, or to the scheme's own, they name it or do not.
    for host in ["registry.example.com:8443", "registry.example.com"] {
        let location = begun(&site.client(), Some(host));
        assert!(location.starts_with(&format!("https://{host}/v2/")), "{location}");
    }
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn relative_locations_lead_to_the_same_place() {
    for (registry, tables) in [
        ("env = { REGISTRY_HTTP_RELATIVEURLS = true }", ""),
        ("", "[registry.http]\nrelativeurls = true"),
    ] {
        let site = Site::start(Lines { registry, tables, ..Lines::default() });
        follow(&site.client(), "/");
    }
}

#[test]
#[ignore = "needs nginx: run cargo xtask test"]
fn locations_are_right_behind_a_balancer_and_the_log_names_the_client() {
    let nginx = "proxy_protocol = true\nreal_ip_trusted_addresses = [\"127.0.0.1\"]";
    let site = Site::start(Lines { nginx, ..Lines::default() });
    let client = site.client().behind_a_balancer("203.0.113.7");
    follow(&client, &format!("https://{}/", site.name));
    // Without the balancer's line nobody gets in.
    assert!(site.client().ask(&Request::get("/v2/")).is_err());
    let log = site.world.read("var/log/regctl/nginx/registry_access.log");
    let line = log.lines().find(|line| line.contains("GET /v2/group/app/blobs/"));
    assert!(line.is_some_and(|line| line.starts_with("203.0.113.7 - ")), "{log}");
}
