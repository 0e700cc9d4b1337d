//! Blobs by `CloudFront`: a pull is sent away, and what it is sent to is signed and holds the bytes.
//!
//! Distribution 2.8.2 redirects so with S3 alone (registry/storage/driver/middleware/cloudfront); the URL's form is its.

use std::{fs, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::fixture::{Image, Registry};
use crate::support::{World, daemon::Daemon, free_port, http::sha256, program};

const PAIR: &str = "K2JCJMDEHXQW5F";

/// An nginx that serves a folder, as a distribution of `CloudFront` serves its origin.
fn cdn(world: &World, port: u16, root: &std::path::Path) -> Daemon {
    let at = world.root().display();
    let conf = format!(
        "daemon off; pid {at}/pid; error_log stderr notice; user root;\nevents {{}}\nhttp {{\n\
         access_log {at}/access.log; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
         server {{ listen 127.0.0.1:{port}; location /base/ {{ alias {}/; }} }} }}\n",
        root.display()
    );
    fs::write(world.path("nginx.conf"), conf).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-p"]).arg(world.root()).arg("-c").arg(world.path("nginx.conf"));
    Daemon::start(&mut command, world.root(), "start worker process")
}

/// One parameter of a URL's query.
fn parameter<'a>(url: &'a str, name: &str) -> &'a str {
    let (_, query) = url.split_once('?').unwrap();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, _)| *found == name).unwrap_or_else(|| panic!("no {name} in {url}")).1
}

/// Whether openssl takes the URL's signature for one of this policy.
fn is_signed(world: &World, url: &str, policy: &str) -> bool {
    let signature =
        parameter(url, "Signature").replace('-', "+").replace('_', "=").replace('~', "/");
    fs::write(world.path("signature"), STANDARD.decode(signature).unwrap()).unwrap();
    fs::write(world.path("policy"), policy).unwrap();
    let mut command = program::program("openssl", &["dgst", "-sha256", "-verify"]);
    command.arg(world.path("public.pem")).arg("-signature").arg(world.path("signature"));
    command.arg(world.path("policy")).output().unwrap().status.success()
}

#[test]
#[ignore = "needs nginx, openssl, curl and skopeo: run cargo xtask test"]
fn a_pull_goes_by_a_signed_url_and_gets_the_bytes() {
    let (world, port) = (World::new(), free_port());
    let key = world.path("key.pem");
    let key_name = key.to_str().unwrap();
    program::run("openssl", &["genrsa", "-out", key_name, "2048"]);
    let public = world.path("public.pem");
    program::run("openssl", &["rsa", "-in", key_name, "-pubout", "-out", public.to_str().unwrap()]);
    let base = format!("http://127.0.0.1:{port}/base");
    let options =
        json!({ "baseurl": base, "privatekey": key, "keypairid": PAIR, "duration": "5m" });
    let middleware = json!({ "storage": [{ "name": "cloudfront", "options": options }] });
    let registry = Registry::with(&json!({ "middleware": middleware }));
    let _cdn = cdn(&world, port, &registry.storage());
    let mut client = registry.client();
    let image = Image::of("app");
    image.push(&mut client, "app", "v1");
    let digest = sha256(&image.layer);

    let answer = client.get(&format!("/v2/app/blobs/{digest}")).expect(307);
    let url = answer.header("Location").unwrap();
    let hex = digest.to_hex();
    let wanted = format!("{base}/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    let (resource, _) = url.split_once('?').unwrap();
    assert_eq!(resource, wanted);
    assert_eq!(parameter(url, "Key-Pair-Id"), PAIR);
    assert_eq!(parameter(url, "Hash-Algorithm"), "SHA256");
    let until: u64 = parameter(url, "Expires").parse().unwrap();
    let now = crate::support::issuer::now();
    assert!((now + 240..=now + 301).contains(&until), "{until} at {now}");
    // As CloudFront makes the canned policy of a request: without white space, in this order.
    let policy = |resource: &str, until: u64| {
        format!(
            r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{until}}}}}}}]}}"#
        )
    };
    let parsed: Value = serde_json::from_str(&policy(resource, until)).unwrap();
    assert_eq!(parsed["Statement"][0]["Resource"], wanted);
    assert!(is_signed(&world, url, &policy(resource, until)));
    assert!(!is_signed(&world, url, &policy(resource, until + 1)), "it holds for longer");
    assert!(!is_signed(&world, url, &policy(&base, until)), "it holds for something else");

    // Clients follow it, and manifests are the registry's own.
    let source = format!("http://127.0.0.1:{}/v2/app/blobs/{digest}", registry.port());
    let kept = world.path("pulled");
    let follow = ["--silent", "--fail", "--location", "--output", kept.to_str().unwrap(), &source];
    program::run("curl", &follow);
    assert_eq!(fs::read(&kept).unwrap(), image.layer);
    let folder = world.path("image");
    let from = format!("docker://127.0.0.1:{}/app:v1", registry.port());
    crate::clients::skopeo::copy(&[], &from, &format!("dir:{}", folder.display()));
    assert_eq!(fs::read(folder.join(&hex)).unwrap(), image.layer);
    let log = fs::read_to_string(world.path("access.log")).unwrap();
    assert_eq!(log.matches(&format!("/{hex}/data?Expires=")).count(), 2, "{log}");
}
