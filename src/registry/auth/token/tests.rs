//! Tokens of real keys, and what is done to them.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{Request, header::AUTHORIZATION};
use jsonwebtoken::{Algorithm as Jose, EncodingKey, Header, encode};
use proptest::proptest;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData,
    RsaKeySize, SignatureAlgorithm,
};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;

use super::*;
use crate::{
    auth::{
        access::{Access, Action},
        watched::Contents,
    },
    libtrust,
};

const NOW: i64 = 1_800_000_000;

/// An issuer of tokens with its key and its certificate, signed by itself.
struct Issuer {
    key: KeyPair,
    certificate: Certificate,
    algorithm: Jose,
}

impl Issuer {
    fn new(kind: &'static SignatureAlgorithm, algorithm: Jose) -> Self {
        Self::of(KeyPair::generate_for(kind).unwrap(), algorithm)
    }

    fn rsa(algorithm: Jose) -> Self {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        Self::of(key, algorithm)
    }

    fn es256() -> Self {
        Self::new(&PKCS_ECDSA_P256_SHA256, Jose::ES256)
    }

    fn of(key: KeyPair, algorithm: Jose) -> Self {
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        Self { key, certificate, algorithm }
    }

    fn libtrust(&self) -> String {
        libtrust::id(&self.key.subject_public_key_info())
    }

    fn bundle(&self) -> Keys {
        bundle(&self.certificate.pem()).unwrap()
    }

    fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = kid.map(str::to_owned);
        self.sign_with(&header, claims)
    }

    fn with_chain(&self, chain: &[&Certificate]) -> String {
        let mut header = Header::new(self.algorithm);
        header.x5c = Some(chain.iter().map(|one| STANDARD.encode(one.der())).collect());
        self.sign_with(&header, &claims())
    }

    fn sign_with(&self, header: &Header, claims: &Value) -> String {
        let pem = self.key.serialize_pem();
        let key = match self.algorithm {
            Jose::ES256 | Jose::ES384 => EncodingKey::from_ec_pem(pem.as_bytes()),
            Jose::EdDSA => EncodingKey::from_ed_pem(pem.as_bytes()),
            _ => EncodingKey::from_rsa_pem(pem.as_bytes()),
        };
        encode(header, claims, &key.unwrap()).unwrap()
    }
}

fn contents(text: &str) -> [Contents; 1] {
    [Contents { path: "/keys".into(), bytes: text.as_bytes().to_vec() }]
}

fn bundle(pem: &str) -> Result<Keys, Unusable> {
    keys::of_bundle(&contents(pem))
}

fn jwks(keys: &Value) -> Result<Keys, Unusable> {
    keys::of_jwks(&contents(&json!({ "keys": keys }).to_string()))
}

fn rules() -> Rules {
    Rules {
        service: "container_registry".parse().unwrap(),
        issuer: "gitlab".to_owned(),
        algorithms: BTreeSet::from(Algorithm::ALL),
    }
}

fn claims() -> Value {
    json!({
        "iss": "gitlab", "aud": "container_registry", "sub": "ann",
        "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 300,
        "access": [{ "type": "repository", "name": "a/b", "actions": ["pull"] }],
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => _ = claims.as_object_mut().unwrap().remove(name),
        value => claims[name] = value,
    }
    claims
}

fn verify(token: &str, keys: &Keys) -> Result<Verified, TokenError> {
    verify::verify(token, keys, &rules(), NOW)
}

/// How a token is refused, as the log has it.
#[track_caller]
fn refusal(token: &str, keys: &Keys) -> String {
    verify(token, keys).unwrap_err().to_string()
}

#[test]
fn every_algorithm_verifies_by_every_name_of_the_key_and_by_none() {
    for issuer in [
        Issuer::rsa(Jose::RS256),
        Issuer::rsa(Jose::RS512),
        Issuer::rsa(Jose::PS256),
        Issuer::es256(),
        Issuer::new(&PKCS_ECDSA_P384_SHA384, Jose::ES384),
        Issuer::new(&PKCS_ED25519, Jose::EdDSA),
    ] {
        let keys = issuer.bundle();
        let info = issuer.key.subject_public_key_info();
        let (_, info) = x509_parser::x509::SubjectPublicKeyInfo::from_der(&info).unwrap();
        let thumbprint = key::Public::of_certificate(&info).unwrap().thumbprint();
        for name in [Some(issuer.libtrust()), Some(thumbprint), None] {
            let token = issuer.sign(name.as_deref(), &claims());
            let verified = verify(&token, &keys).unwrap();
            assert_eq!(verified.user.unwrap().as_str(), "ann");
            let grant = Grant::claimed(None, verified.claimed);
            let to = |action| Access::to_repository(&"a/b".parse().unwrap(), action);
            assert!(grant.covers(&to(Action::Pull)) && !grant.covers(&to(Action::Push)));
        }
    }
}

#[test]
fn a_key_of_a_set_verifies_by_its_name_and_its_algorithm() {
    let issuer = Issuer::es256();
    let raw = issuer.key.public_key_raw();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = |extra: Value| {
        let mut jwk = json!({
            "kty": "EC", "crv": "P-256", "kid": "mine", "use": "sig",
            "x": text(&raw[1..33]), "y": text(&raw[33..]),
        });
        for (name, value) in extra.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    };
    let token = issuer.sign(Some("mine"), &claims());
    for extra in [json!({}), json!({ "alg": "ES256" }), json!({ "d": "c2VjcmV0", "extra": [1] })] {
        let keys = jwks(&json!([jwk(extra)])).unwrap();
        assert!(verify(&token, &keys).is_ok());
        assert!(refusal(&issuer.sign(Some("other"), &claims()), &keys).contains("`other`"));
    }
    let other = jwks(&json!([jwk(json!({ "alg": "ES384" }))])).unwrap();
    assert!(matches!(verify(&token, &other), Err(TokenError::Signature)));
    for useless in [
        jwk(json!({ "use": "enc" })),
        jwk(json!({ "alg": "HS256" })),
        jwk(json!({ "crv": "P-521" })),
        jwk(json!({ "x": "!" })),
        json!({ "kty": "oct", "kid": "mine", "k": "c2VjcmV0" }),
        json!({}),
    ] {
        let error = jwks(&json!([useless])).unwrap_err().to_string();
        assert!(error.contains("no key in `/keys` can verify tokens"), "{error}");
    }
}

#[test]
fn both_files_count_together() {
    let (of_bundle, of_set) = (Issuer::es256(), Issuer::new(&PKCS_ED25519, Jose::EdDSA));
    let x = URL_SAFE_NO_PAD.encode(of_set.key.public_key_raw());
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "two", "x": x }] });
    let [bundle] = contents(&of_bundle.certificate.pem());
    let [set] = contents(&set.to_string());
    let keys = keys::of_both(&[bundle, set]).unwrap();
    assert!(verify(&of_bundle.sign(Some(&of_bundle.libtrust()), &claims()), &keys).is_ok());
    assert!(verify(&of_set.sign(Some("two"), &claims()), &keys).is_ok());
}

#[test]
fn what_another_key_signed_is_refused() {
    let (issuer, other) = (Issuer::es256(), Issuer::es256());
    let keys = bundle(&format!("{}{}", issuer.certificate.pem(), other.certificate.pem())).unwrap();
    // Both are trusted, and the token names the wrong one.
    let token = issuer.sign(Some(&other.libtrust()), &claims());
    assert!(matches!(verify(&token, &keys), Err(TokenError::Signature)));
    let stranger = Issuer::es256();
    for (name, words) in [
        (Some(stranger.libtrust()), "none of those trusted"),
        (Some(issuer.libtrust()), "not signed by the key that it names"),
        (None, "no trusted one signed it"),
    ] {
        let found = refusal(&stranger.sign(name.as_deref(), &claims()), &keys);
        assert!(found.contains(words), "{found}");
    }
}

#[test]
fn a_public_key_is_no_shared_secret_and_no_signature_is_none() {
    let issuer = Issuer::rsa(Jose::RS256);
    let keys = issuer.bundle();
    let info = issuer.key.subject_public_key_info();
    for secret in [info.as_slice(), issuer.certificate.pem().as_bytes(), b""] {
        let mut header = Header::new(Jose::HS256);
        header.kid = Some(issuer.libtrust());
        let token = encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
        assert!(refusal(&token, &keys).contains("`HS256`, which is not allowed"));
    }
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for name in ["none", "None", "NONE", "", "rs256"] {
        let header = part(json!({ "alg": name, "kid": issuer.libtrust() }));
        let token = format!("{header}.{}.", part(claims()));
        assert!(matches!(verify(&token, &keys), Err(TokenError::Algorithm(_))), "{name}");
    }
    // The right name on a key of another family.
    let header = part(json!({ "alg": "ES256", "kid": issuer.libtrust() }));
    let signature = "A".repeat(86);
    let token = format!("{header}.{}.{signature}", part(claims()));
    assert!(matches!(verify(&token, &keys), Err(TokenError::Signature)));
}

#[test]
fn only_algorithms_of_the_configuration_count() {
    let issuer = Issuer::es256();
    let rules = Rules { algorithms: BTreeSet::from([Algorithm::Rs256]), ..rules() };
    let token = issuer.sign(None, &claims());
    let refused = verify::verify(&token, &issuer.bundle(), &rules, NOW);
    assert!(matches!(refused, Err(TokenError::Algorithm(name)) if name == "ES256"));
}

#[test]
fn what_was_changed_on_the_way_is_refused() {
    let issuer = Issuer::es256();
    let keys = issuer.bundle();
    let token = issuer.sign(Some(&issuer.libtrust()), &claims());
    let parts: Vec<_> = token.split('.').collect();
    let more = with("access", json!([{ "type": "repository", "name": "a/b", "actions": ["*"] }]));
    let more = URL_SAFE_NO_PAD.encode(more.to_string());
    for (changed, words) in [
        (format!("{}.{more}.{}", parts[0], parts[2]), "not signed by the key"),
        (format!("{}.{}.", parts[0], parts[1]), "not signed by the key"),
        (format!("{}.{}", parts[0], parts[1]), "malformed"),
        (format!("{token}.x"), "malformed"),
        (format!("{}.!.{}", parts[0], parts[2]), "its claims cannot be read"),
        (String::new(), "malformed"),
        ("x".repeat(65_537), "65536 are the most"),
    ] {
        let found = refusal(&changed, &keys);
        assert!(found.contains(words), "{found}");
        assert!(!found.contains(parts[1]), "{found}");
    }
    let critical = json!({ "alg": "ES256", "kid": issuer.libtrust(), "crit": ["exp"] });
    let critical = URL_SAFE_NO_PAD.encode(critical.to_string());
    let found = refusal(&format!("{critical}.{}.{}", parts[1], parts[2]), &keys);
    assert!(found.contains("`crit`"), "{found}");
}

#[test]
fn each_claim_is_held_against_the_rules() {
    let issuer = Issuer::es256();
    let keys = issuer.bundle();
    let check = |claims: &Value| match verify(&issuer.sign(None, claims), &keys) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let long = "x".repeat(500);
    for (name, value, words) in [
        ("iss", json!("other"), "issued by `other`, and `auth.token.issuer` is `gitlab`"),
        ("iss", json!(null), "issued by ``"),
        ("iss", json!("a\nb"), "issued by `a\\nb`"),
        ("iss", json!(long), "xxx…`"),
        ("iss", json!(["gitlab"]), "its claims cannot be read"),
        ("aud", json!("other"), "for `other`, and `auth.token.service` is `container_registry`"),
        ("aud", json!(["a", "b"]), "for `a`, `b`"),
        ("aud", json!(["a", "container_registry"]), ""),
        ("aud", json!([]), "for nobody"),
        ("aud", json!(null), "for nobody"),
        ("exp", json!(null), "never expires"),
        ("exp", json!("1"), "its claims cannot be read"),
        ("exp", json!(NOW - 60), ""),
        ("exp", json!(NOW - 63), "expired 63 s ago; if clients have just got it"),
        ("exp", json!(0), "expired 1800000000 s ago"),
        ("exp", json!(-1e300), "expired"),
        ("exp", json!(1.8e9 + 0.5), ""),
        ("exp", json!(u64::MAX), ""),
        ("nbf", json!(NOW + 60), ""),
        ("nbf", json!(NOW + 61), "not valid for another 61 s: the clocks"),
        ("nbf", json!(1e300), "not valid for another"),
        ("nbf", json!(null), ""),
        ("sub", json!(null), ""),
        ("access", json!(null), ""),
        ("access", json!([{}, { "type": "repository", "name": "a", "actions": null }]), ""),
    ] {
        let found = check(&with(name, value.clone()));
        assert_eq!(found.is_empty(), words.is_empty(), "{name} {value}: {found}");
        assert!(found.contains(words) && found.len() < 300, "{name} {value}: {found}");
    }
}

fn authority(constraint: IsCa) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = constraint;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    CertifiedIssuer::self_signed(params, key).unwrap()
}

const ANY_CA: IsCa = IsCa::Ca(BasicConstraints::Unconstrained);

/// An issuer whose certificate an authority has signed.
fn below(authority: &CertifiedIssuer<'_, KeyPair>) -> Issuer {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::default().signed_by(&key, authority).unwrap();
    Issuer { key, certificate, algorithm: Jose::ES256 }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

#[test]
fn a_chain_must_lead_to_a_trusted_authority() {
    let root = authority(ANY_CA);
    let keys = bundle(&root.pem()).unwrap();
    let issuer = below(&root);
    assert!(verify(&issuer.with_chain(&[&issuer.certificate]), &keys).is_ok());
    let mut params = CertificateParams::default();
    params.is_ca = ANY_CA;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let middle = CertifiedIssuer::signed_by(params, key, &root).unwrap();
    let issuer = below(&middle);
    assert!(verify(&issuer.with_chain(&[&issuer.certificate, middle.as_ref()]), &keys).is_ok());
    for refused in [
        // The link between is missing.
        issuer.with_chain(&[&issuer.certificate]),
        // A foreign root, even if it comes along.
        {
            let foreign = authority(ANY_CA);
            let issuer = below(&foreign);
            issuer.with_chain(&[&issuer.certificate, foreign.as_ref()])
        },
        // A certificate that is no authority's signs no other.
        {
            let issuer = below(&authority(IsCa::ExplicitNoCa));
            issuer.with_chain(&[&issuer.certificate])
        },
    ] {
        let found = refusal(&refused, &keys);
        assert!(found.contains("does not lead to a trusted certificate"), "{found}");
    }
    // The right chain, and somebody else's signature.
    let (known, thief) = (below(&root), Issuer::es256());
    let stolen = thief.with_chain(&[&known.certificate]);
    assert!(matches!(verify(&stolen, &keys), Err(TokenError::Signature)));
    let many = vec![&known.certificate; 11];
    assert!(refusal(&known.with_chain(&many), &keys).contains("10 are the most"));
}

#[test]
fn a_trusted_certificate_that_is_no_authority_signs_tokens_only() {
    let plain = authority(IsCa::ExplicitNoCa);
    let keys = bundle(&plain.pem()).unwrap();
    let issuer = below(&plain);
    let found = refusal(&issuer.with_chain(&[&issuer.certificate]), &keys);
    assert!(found.contains("does not lead to a trusted certificate"), "{found}");
    let itself = Issuer::es256();
    assert!(verify(&itself.with_chain(&[&itself.certificate]), &itself.bundle()).is_ok());
}

#[test]
fn a_certificate_that_is_over_vouches_for_no_chain_but_its_key_still_counts() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let issuer = Issuer { key, certificate, algorithm: Jose::ES256 };
    let keys = issuer.bundle();
    let found = refusal(&issuer.with_chain(&[&issuer.certificate]), &keys);
    assert!(found.contains("not valid now"), "{found}");
    assert!(verify(&issuer.sign(Some(&issuer.libtrust()), &claims()), &keys).is_ok());
}

#[test]
fn files_without_keys_are_refused_and_never_quoted() {
    let issuer = Issuer::es256();
    let private = issuer.key.serialize_pem();
    let broken = issuer.certificate.pem().replace("MII", "AII");
    for (text, words) in [
        ("", "`/keys` holds no certificate"),
        (private.as_str(), "`/keys` holds no certificate"),
        (broken.as_str(), "`/keys` "),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "is no PEM file"),
    ] {
        let found = bundle(text).unwrap_err().to_string();
        assert!(found.contains(words), "{found}");
    }
    let found = keys::of_jwks(&contents("{\"keys\": hunter2}")).unwrap_err().to_string();
    assert_eq!(found, "`/keys` is no JSON Web Key Set: line 1, column 10");
}

struct Fixture {
    folder: tempfile::TempDir,
    tokens: Tokens,
}

impl Fixture {
    fn new(issuer: &Issuer, realm: TokenRealm) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.crt");
        write(&path, &issuer.certificate.pem());
        let tokens = Tokens::open(&config::Token {
            realm,
            service: rules().service,
            issuer: rules().issuer,
            root_cert_bundle: Some(path),
            jwks: None,
            algorithms: rules().algorithms,
        });
        Self { folder, tokens: tokens.unwrap() }
    }

    async fn admit(&self, token: &str, action: Action, at: i64) -> Result<Grant, Denied> {
        let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
        let request = request.header(HOST, "registry.example.com:5000").body(()).unwrap();
        let access = Access::to_repository(&"a/b".parse().unwrap(), action);
        let wanted = Wanted { required: vec![access], welcome: None };
        let at = UNIX_EPOCH + Duration::from_secs(at.try_into().unwrap());
        self.tokens.admit(&request.into_parts().0, &wanted, at).await
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own file")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

fn fixed() -> TokenRealm {
    TokenRealm::Fixed("https://auth.example.com/token".parse().unwrap())
}

fn challenge(denied: Denied) -> String {
    match denied.refusal {
        Refusal::Challenge(challenge) => challenge.to_str().unwrap().to_owned(),
        Refusal::Busy => panic!("no challenge"),
    }
}

#[tokio::test]
async fn what_is_remembered_expires_and_dies_with_the_key() {
    let issuer = Issuer::es256();
    let fixture = Fixture::new(&issuer, fixed());
    let token = issuer.sign(None, &claims());
    for _ in 0..2 {
        let grant = fixture.admit(&token, Action::Pull, NOW).await.unwrap();
        assert_eq!(grant.user().unwrap().as_str(), "ann");
    }
    assert!(fixture.admit(&token, Action::Pull, NOW + 360).await.is_ok());
    let denied = fixture.admit(&token, Action::Pull, NOW + 361).await.unwrap_err();
    assert!(challenge(denied).ends_with("scope=\"repository:a/b:pull\",error=\"invalid_token\""));
    assert!(fixture.admit(&token, Action::Pull, NOW).await.is_ok());
    let next = Issuer::es256();
    write(&fixture.folder.path().join("root.crt"), &next.certificate.pem());
    assert!(fixture.admit(&token, Action::Pull, NOW).await.is_err());
    let token = next.sign(None, &claims());
    assert!(fixture.admit(&token, Action::Pull, NOW).await.is_ok());
}

#[tokio::test]
async fn a_token_for_pulling_does_not_push() {
    let issuer = Issuer::es256();
    let fixture = Fixture::new(&issuer, fixed());
    let token = issuer.sign(None, &claims());
    let denied = fixture.admit(&token, Action::Push, NOW).await.unwrap_err();
    assert_eq!(
        challenge(denied),
        "Bearer realm=\"https://auth.example.com/token\",service=\"container_registry\",\
         scope=\"repository:a/b:push\",error=\"insufficient_scope\""
    );
}

#[tokio::test]
async fn a_realm_on_the_own_host_is_the_one_that_the_client_named() {
    let issuer = Issuer::es256();
    let fixture = Fixture::new(&issuer, TokenRealm::OwnHost("/auth/token".parse().unwrap()));
    let denied = fixture.admit("x", Action::Pull, NOW).await.unwrap_err();
    let found = challenge(denied);
    let expected = "Bearer realm=\"https://registry.example.com:5000/auth/token\",";
    assert!(found.starts_with(expected), "{found}");
}

#[test]
fn a_host_that_is_none_is_left_out() {
    for (named, expected) in [
        ("registry.example.com", "registry.example.com"),
        ("u:p@registry.example.com:1", "registry.example.com:1"),
        ("[::1]:5000", "[::1]:5000"),
        ("a\"b", ""),
        ("a b", ""),
        ("", ""),
    ] {
        let request = Request::builder().header(HOST, named).body(()).unwrap();
        assert_eq!(host(&request.into_parts().0), expected, "{named}");
    }
}

#[test]
fn the_time_of_a_chain_is_that_of_the_request() {
    let root = authority(ANY_CA);
    let keys = bundle(&root.pem()).unwrap();
    let issuer = below(&root);
    let chain = [STANDARD.encode(issuer.certificate.der())];
    assert!(chain::signer(&chain, &keys.roots, now()).is_ok());
    assert!(chain::signer(&chain, &keys.roots, 0).is_err());
}

proptest! {
    #[test]
    fn no_text_panics(header in "\\PC{0,40}", claims in "\\PC{0,40}", signature in "\\PC{0,40}") {
        let keys = keys_of_nobody();
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let _ = verify(&format!("{header}.{claims}.{signature}"), &keys);
        let _ = verify(&format!("{}.{}.{signature}", part(&header), part(&claims)), &keys);
    }
}

proptest! {
    #[test]
    fn no_file_panics(der: Vec<u8>, json in "\\PC{0,80}") {
        let text = STANDARD.encode(&der);
        let _ = bundle(&format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"));
        let _ = chain::signer(&[text], &[], NOW);
        let _ = keys::of_jwks(&contents(&json));
        let number = URL_SAFE_NO_PAD.encode(&der);
        let _ = jwks(&json!([
            { "kty": "RSA", "n": number, "e": number },
            { "kty": "EC", "crv": "P-256", "x": number, "y": number },
        ]));
    }
}

fn keys_of_nobody() -> Keys {
    let x = URL_SAFE_NO_PAD.encode([1; 32]);
    jwks(&json!([{ "kty": "OKP", "crv": "Ed25519", "x": x }])).unwrap()
}

/// Answers so many requests with a set of one key, and ends.
fn publish(issuer: &Issuer, requests: usize) -> (String, std::thread::JoinHandle<usize>) {
    use std::io::{BufRead as _, Write as _};
    let raw = issuer.key.public_key_raw();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": "mine", "x": text(&raw[1..33]), "y": text(&raw[33..]),
    });
    let body = json!({ "keys": [jwk] }).to_string();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let mut count = 0;
        for stream in listener.incoming().take(requests) {
            let mut stream = std::io::BufReader::new(stream.unwrap());
            let mut line = String::new();
            while stream.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            count += 1;
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
        count
    });
    (url, served)
}

fn of_url(url: &str) -> Fixture {
    let tokens = Tokens::open(&config::Token {
        realm: fixed(),
        service: rules().service,
        issuer: rules().issuer,
        root_cert_bundle: None,
        jwks: Some(Jwks::Url(url.parse().unwrap())),
        algorithms: rules().algorithms,
    });
    Fixture { folder: tempfile::tempdir().unwrap(), tokens: tokens.unwrap() }
}

#[tokio::test]
async fn keys_of_a_url_are_asked_for_once_and_outlast_their_issuer() {
    let issuer = Issuer::es256();
    let (url, served) = publish(&issuer, 1);
    let fixture = of_url(&url);
    let token = issuer.sign(Some("mine"), &claims());
    fixture.admit(&token, Action::Pull, NOW).await.unwrap();
    assert_eq!(served.join().unwrap(), 1);
    // Nobody answers any more.
    fixture.admit(&token, Action::Pull, NOW).await.unwrap();
    let other = Issuer::es256().sign(Some("other"), &claims());
    let refused = challenge(fixture.admit(&other, Action::Pull, NOW).await.unwrap_err());
    assert!(refused.contains("error=\"invalid_token\""), "{refused}");
    fixture.admit(&token, Action::Pull, NOW).await.unwrap();
}

#[tokio::test]
async fn without_keys_nobody_gets_in() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    drop(listener);
    let fixture = of_url(&url);
    let token = Issuer::es256().sign(Some("mine"), &claims());
    let denied = fixture.admit(&token, Action::Pull, NOW).await.unwrap_err();
    let refused = challenge(denied);
    assert!(refused.contains("error=\"invalid_token\""), "{refused}");
}
