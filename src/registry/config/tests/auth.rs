//! `auth`: each type with its options, and what is wrong with others.

use std::{collections::BTreeSet, path::PathBuf};

use super::{Config, LEAST, config, problems, warnings, with};
use crate::config::{Algorithm, Auth, HeaderText, Htpasswd, Jwks, Silly, Token, TokenRealm};

const TOKEN: &str =
    "realm: 'https://gitlab.example.com/jwt/auth', service: container_registry, issuer: gitlab";

fn text(text: &str) -> HeaderText {
    text.parse().unwrap()
}

fn token(options: &str) -> String {
    with(&format!("auth: {{token: {{{TOKEN}, {options}}}}}"))
}

fn token_of(options: &str) -> Token {
    match config(&token(options)).auth {
        Auth::Token(token) => token,
        other => panic!("{other:?}"),
    }
}

fn with_variables(variables: &[(&str, &str)]) -> Auth {
    let owned = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Config::parse(LEAST, &owned.collect::<Vec<_>>()).unwrap().config.auth
}

#[test]
fn silly_has_a_realm_and_a_service() {
    let found = config(&with("auth: {silly: {realm: here, service: ours}}"));
    assert_eq!(found.auth, Auth::Silly(Silly { realm: text("here"), service: text("ours") }));
}

#[test]
fn silly_is_said_to_be_silly() {
    let found = warnings(&with("auth: {silly: {realm: here, service: ours}}"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("lets in whoever sends any `Authorization` header"), "{found:?}");
}

#[test]
fn variables_choose_htpasswd_as_they_do_upstream() {
    let expected =
        Auth::Htpasswd(Htpasswd { realm: text("Registry Realm"), path: "/auth/htpasswd".into() });
    let found = with_variables(&[
        ("REGISTRY_AUTH", "htpasswd"),
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", "/auth/htpasswd"),
    ]);
    assert_eq!(found, expected);
    let whole = with_variables(&[(
        "REGISTRY_AUTH",
        "{htpasswd: {realm: Registry Realm, path: /auth/htpasswd}}",
    )]);
    assert_eq!(whole, expected);
}

#[test]
fn variables_choose_token_with_all_its_options() {
    let Auth::Token(found) = with_variables(&[
        ("REGISTRY_AUTH_TOKEN_REALM", "https://auth.example.com/token"),
        ("REGISTRY_AUTH_TOKEN_SERVICE", "ours"),
        ("REGISTRY_AUTH_TOKEN_ISSUER", "them"),
        ("REGISTRY_AUTH_TOKEN_JWKS", "/keys.json"),
        ("REGISTRY_AUTH_TOKEN_SIGNINGALGORITHMS", "[ES256]"),
    ]) else {
        panic!("no token");
    };
    assert_eq!(found.realm, TokenRealm::Fixed(text("https://auth.example.com/token")));
    assert_eq!(found.jwks, Some(Jwks::File(PathBuf::from("/keys.json"))));
    assert_eq!(found.root_cert_bundle, None);
    assert_eq!(found.algorithms, BTreeSet::from([Algorithm::Es256]));
}

#[test]
fn tokens_are_signed_with_any_private_key_when_nothing_is_said() {
    let found = token_of("rootcertbundle: /b");
    assert_eq!(found.algorithms, BTreeSet::from(Algorithm::ALL));
    assert_eq!(found.root_cert_bundle, Some(PathBuf::from("/b")));
    assert_eq!(found.realm, TokenRealm::Fixed(text("https://gitlab.example.com/jwt/auth")));
}

#[test]
fn a_redirect_to_the_own_host_has_distributions_path() {
    let own = |options: &str| token_of(options).realm;
    let path = |path| TokenRealm::OwnHost(text(path));
    assert_eq!(own("rootcertbundle: /b, autoredirect: yes"), path("/auth/token"));
    assert_eq!(own("rootcertbundle: /b, autoredirect: on, autoredirectpath: /a"), path("/a"));
    // Without the switch the path has nothing to say.
    assert!(matches!(own("rootcertbundle: /b, autoredirectpath: x"), TokenRealm::Fixed(_)));
}

#[test]
fn algorithms_with_a_shared_secret_are_left_out_with_a_warning() {
    let options = "rootcertbundle: /b, signingalgorithms: [HS256, RS256]";
    assert_eq!(token_of(options).algorithms, BTreeSet::from([Algorithm::Rs256]));
    let found = warnings(&token(options));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("HS256 is left out: no public key verifies it"), "{found:?}");
}

#[test]
fn an_option_that_nobody_knows_is_pointed_out() {
    let found = warnings(&with("auth: {htpasswd: {realm: r, path: /p, relm: x}}"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("did you mean `auth.htpasswd.realm`?"), "{found:?}");
}

#[test]
fn what_is_missing_or_wrong_is_one_problem() {
    for (text, words) in [
        (with("auth: silly"), "`auth.silly.realm`: missing"),
        (with("auth: {silly: {realm: r}}"), "`auth.silly.service`: missing"),
        (with("auth: {htpasswd: {realm: r}}"), "`auth.htpasswd.path`: missing"),
        (with("auth: {htpasswd: {path: /p}}"), "`auth.htpasswd.realm`: missing"),
        (with("auth: {htpasswd: {path: /p, realm: ''}}"), "`auth.htpasswd.realm`: missing"),
        (with("auth: {htpasswd: {path: [a], realm: r}}"), "a list where a single value"),
        (with("auth: {htpasswd: /p}"), "`auth.htpasswd`: a single value where a map"),
        (with("auth: {htpasswd: {path: /p, realm: \"a\\nb\"}}"), "must be visible ASCII"),
        (with("auth: {htpasswd: {path: /p, realm: ä}}"), "must be visible ASCII"),
        (with("auth: {token: {realm: r, service: s, jwks: /j}}"), "`auth.token.issuer`: missing"),
        (token("autoredirect: false"), "there is no key to verify tokens with"),
        (token("rootcertbundle: /b, autoredirect: 2"), "must be a boolean"),
        (
            token("rootcertbundle: /b, autoredirect: true, autoredirectpath: a"),
            "must be a path that begins with a slash",
        ),
        (token("jwks: 'ftp://auth.example.com/keys'"), "begins with http:// or https://"),
        (token("jwks: /j, signingalgorithms: [ES512]"), "`ES512` is none of EdDSA, RS256"),
        (token("jwks: /j, signingalgorithms: [none]"), "`none` is none of"),
        (token("jwks: /j, signingalgorithms: RS256"), "a list is expected"),
        (token("jwks: /j, signingalgorithms: [HS256]"), "no token could be verified"),
    ] {
        let found = problems(&text);
        let found: Vec<_> = found.iter().filter(|found| found.contains(words)).collect();
        assert_eq!(found.len(), 1, "{text}\n{words}\n{:?}", problems(&text));
    }
}

#[test]
fn two_types_are_refused_even_if_a_variable_adds_the_second() {
    let file = with("auth: {htpasswd: {realm: r, path: /p}}");
    let variable = vec![("REGISTRY_AUTH_SILLY_REALM".to_owned(), "r".to_owned())];
    let found = Config::parse(&file, &variable).unwrap_err().to_string();
    assert!(found.contains("two types, `htpasswd` and `silly`"), "{found}");
}
