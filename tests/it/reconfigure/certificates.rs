//! The certificate with which nginx ends TLS: looked at before nginx depends on it.

use std::fs;

use super::touched;
use crate::support::{
    World,
    certificate::{Certified, date},
    free_port,
};

const CERTIFICATE: &str = "etc/regctl/ssl/localhost.crt";
const KEY: &str = "etc/regctl/ssl/localhost.key";
const HINT: &str = "hint: put the certificate, with its chain, and the key there (an authority such as Let's Encrypt gives both), or name others with `ssl_certificate` and `ssl_certificate_key` in [registry.nginx]; write `listen_https = false` there if another proxy ends TLS\n";

/// A world whose nginx ends TLS with these files.
fn world(certificate: Option<&str>, key: Option<&str>) -> World {
    let (port, registry) = (free_port(), free_port());
    let world = World::with(&format!(
        "registry_external_url = \"https://localhost:{port}\"\n[registry]\nregistry_http_addr = \"127.0.0.1:{registry}\"\n[registry.nginx]\nenable = true\n"
    ));
    fs::create_dir_all(world.path("etc/regctl/ssl")).unwrap();
    for (path, text) in [(CERTIFICATE, certificate), (KEY, key)] {
        if let Some(text) = text {
            fs::write(world.path(path), text).unwrap();
        }
    }
    world
}

#[track_caller]
fn refused(certificate: Option<&str>, key: Option<&str>, expected: &str) {
    let world = world(certificate, key);
    let before = touched(&world);
    let ran = world.run(&["reconfigure"]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (78, expected));
    assert_eq!(touched(&world), before);
}

#[track_caller]
fn warned(pair: &Certified, expected: &[&str]) {
    let ran = world(Some(&pair.certificate), Some(&pair.key)).run(&["reconfigure"]);
    let warnings: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("warning:")).collect();
    assert_eq!((ran.exit, warnings.as_slice()), (0, expected), "{}", ran.stderr);
}

#[test]
fn https_without_a_certificate_names_both_files() {
    let expected = format!(
        "error: https needs a certificate: `[ROOT]/{CERTIFICATE}` and its key `[ROOT]/{KEY}` do not exist\n{HINT}"
    );
    refused(None, None, &expected);
}

#[test]
fn half_a_pair_names_the_half_that_is_missing() {
    let Certified { key, certificate } = Certified::new(&["localhost"]);
    let says = |here: &str, missing: &str| {
        format!(
            "error: https needs a certificate and its key: `[ROOT]/{here}` exists, `[ROOT]/{missing}` does not\n{HINT}"
        )
    };
    refused(Some(&certificate), None, &says(CERTIFICATE, KEY));
    refused(None, Some(&key), &says(KEY, CERTIFICATE));
}

#[test]
fn a_certificate_that_does_not_match_its_key_is_refused() {
    let (one, other) = (Certified::new(&["localhost"]), Certified::new(&["localhost"]));
    let expected = format!(
        "error: `[ROOT]/{CERTIFICATE}` is not the certificate of `[ROOT]/{KEY}`: their public keys differ\n"
    );
    refused(Some(&one.certificate), Some(&other.key), &expected);
}

#[test]
fn a_certificate_outside_of_its_dates_is_refused() {
    for (days, says) in [
        (-20..-10, format!("expired on {}", date(-10))),
        (10..20, format!("is not valid before {}", date(10))),
    ] {
        let Certified { key, certificate } = Certified::within(&["localhost"], days);
        let expected = format!("error: `[ROOT]/{CERTIFICATE}`, of `[ROOT]/{KEY}`, {says}\n");
        refused(Some(&certificate), Some(&key), &expected);
    }
}

#[test]
fn files_in_each_others_place_are_told_apart() {
    let Certified { key, certificate } = Certified::new(&["localhost"]);
    let expected =
        format!("error: `[ROOT]/{CERTIFICATE}`, for `[ROOT]/{KEY}`, is no certificate in PEM\n");
    refused(Some(&key), Some(&certificate), &expected);
    let expected =
        format!("error: `[ROOT]/{KEY}`, for `[ROOT]/{CERTIFICATE}`, is no private key in PEM\n");
    refused(Some(&certificate), Some(&certificate), &expected);
}

#[test]
fn a_good_certificate_is_taken_without_a_word() {
    warned(&Certified::new(&["localhost"]), &[]);
}

#[test]
fn a_certificate_near_its_end_or_for_another_host_is_pointed_out() {
    let soon = format!("warning: `[ROOT]/{CERTIFICATE}` expires on {}", date(10));
    let other =
        format!("warning: `[ROOT]/{CERTIFICATE}` is not for `localhost`: clients will refuse it");
    warned(&Certified::within(&["localhost"], -1..10), &[&soon]);
    warned(&Certified::within(&["*.example.com"], -1..10), &[&soon, &other]);
}

/// The registry itself ends TLS, with these files besides.
fn direct(more: &str) -> World {
    let (port, debug) = (free_port(), free_port());
    World::with(&format!(
        "[registry]\nregistry_http_addr = \"127.0.0.1:{port}\"\n\
         [registry.http.tls]\ncertificate = \"server.crt\"\nkey = \"server.key\"\n{more}\
         [registry.http.debug]\naddr = \"127.0.0.1:{debug}\"\n"
    ))
}

/// What both commands say of it; nothing is changed.
#[track_caller]
fn refuse(world: &World, problems: &[&str]) {
    let before = touched(world);
    let checked = world.run(&["check-config"]);
    assert_eq!(checked.exit, 78, "{}", checked.stdout);
    for problem in problems {
        assert!(checked.stdout.contains(problem), "no {problem} in {}", checked.stdout);
    }
    let ran = world.run(&["reconfigure"]);
    assert_eq!((ran.exit, ran.stderr.contains(problems[0])), (78, true), "{}", ran.stderr);
    assert_eq!(touched(world), before);
}

#[test]
fn files_of_the_registrys_own_tls_are_missed_by_their_keys() {
    let world = direct("clientcas = [\"clients.pem\"]\n");
    refuse(
        &world,
        &[
            "`registry.http.tls.certificate`: `[ROOT]/server.crt` does not exist",
            "`registry.http.tls.key`: `[ROOT]/server.key` does not exist",
            "`registry.http.tls.clientcas`: `[ROOT]/clients.pem` does not exist",
        ],
    );
}

#[test]
fn the_registrys_own_pair_must_fit_and_count() {
    let (one, other) = (Certified::new(&["localhost"]), Certified::new(&["localhost"]));
    let old = Certified::within(&["localhost"], -20..-10);
    for (certificate, key, problem) in [
        (&one, &other, "is not the certificate of `[ROOT]/server.key`: their public keys differ"),
        (&old, &old, "`[ROOT]/server.crt`, of `[ROOT]/server.key`, expired on"),
    ] {
        let world = direct("");
        fs::write(world.path("server.crt"), &certificate.certificate).unwrap();
        fs::write(world.path("server.key"), &key.key).unwrap();
        refuse(&world, &[problem]);
    }
    let world = direct("");
    fs::write(world.path("server.crt"), &one.certificate).unwrap();
    fs::write(world.path("server.key"), &one.key).unwrap();
    let ran = world.run(&["check-config"]);
    assert_eq!(ran.exit, 0, "{}", ran.stdout);
}

#[test]
fn files_for_redis_and_cloudfront_are_missed_before_the_registry_is() {
    let redis = "[registry.storage.cache]\nblobdescriptor = \"redis\"\n[registry.redis]\naddr = \"localhost:6379\"\n\
                 [registry.redis.tls]\nrootcas = [\"ca.pem\"]\n";
    let told = "`registry.redis.tls.rootcas`: `[ROOT]/ca.pem` does not exist";
    refuse(&World::with(redis), &[told]);
    let cloudfront = "[[registry.middleware.storage]]\nname = \"cloudfront\"\n\
                      options = { baseurl = \"https://d1.example.com\", privatekey = \"cdn.pem\", keypairid = \"APKA1\" }\n";
    let told = "`registry.middleware.storage`: `[ROOT]/cdn.pem` does not exist";
    refuse(&World::with(cloudfront), &[told]);
}
