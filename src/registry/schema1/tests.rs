//! Manifests as Docker Distribution 2.8.2 made them, keys of every kind, and what is done to both.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    encoding::{AsBigEndian, AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::{EcdsaKeyPair, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use oci::{Algorithm, Descriptor, Digest, ErrorCode, ManifestError, ManifestType};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use x509_parser::der_parser::parse_der;

use super::{
    convert::NoForm,
    key::{Curve, NoKey, PublicKey},
    verify::Refused,
    *,
};

/// The configuration of an image, with whatever Go's encoder changes.
const CONFIG: &[u8] = include_bytes!("samples/config.json");

/// What `docker-registry` 2.8.2 answers an old client that asks for `team/app:v2`.
const SIGNED: &[u8] = include_bytes!("samples/signed.json");

/// What it calls that.
const DIGEST: &str = "sha256:0b6d5f01891b10ece9bf98595f2f42c01896947084df4ddba10877d06cc7dced";

const PAYLOAD: &str = "{\n   \"schemaVersion\": 1,\n   \"name\": \"app\",\n   \"tag\": \"v1\",\n   \
                       \"fsLayers\": [],\n   \"history\": []\n}";

fn digest(text: &str) -> Digest {
    Digest::of(Algorithm::Sha256, text.as_bytes())
}

fn layer(text: &str) -> Descriptor {
    Descriptor::new("text/plain", digest(text), 9)
}

fn converted(
    name: &str,
    tag: &str,
    layers: &[Descriptor],
    config: &[u8],
) -> Result<Digest, NoForm> {
    let converted = convert(&name.parse().unwrap(), &tag.parse().unwrap(), layers, config)?;
    Ok(Digest::of(Algorithm::Sha256, &converted.payload))
}

fn key() -> SigningKey {
    SigningKey::generate().unwrap()
}

/// A document that is signed by a new key.
fn signed(payload: &str) -> Vec<u8> {
    sign(payload.as_bytes(), &key()).unwrap()
}

/// A document whose signatures are changed.
fn resigned(payload: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let document: Value = serde_json::from_slice(&signed(payload)).unwrap();
    let mut signatures = document["signatures"].clone();
    change(&mut signatures);
    let head = payload.trim_end_matches('}').trim_end();
    format!("{head},\"signatures\":{signatures}}}").into_bytes()
}

fn refused(document: &[u8]) -> Refused {
    pushed(document).unwrap_err()
}

fn manifest(changes: Value) -> String {
    let mut manifest = json!({
        "schemaVersion": 1, "name": "app", "tag": "v1", "fsLayers": [], "history": [],
    });
    for (name, value) in changes.as_object().unwrap() {
        manifest[name] = value.clone();
    }
    manifest.to_string()
}

/// A manifest with these ids and parents, the uppermost first.
fn chain(images: &[(&str, &str)]) -> String {
    let long = |name: &str| name.repeat(64);
    let layers: Vec<_> = images.iter().map(|_| json!({ "blobSum": digest("a") })).collect();
    let history = images.iter().map(|(id, parent)| {
        json!({ "v1Compatibility": json!({ "id": long(id), "parent": long(parent) }).to_string() })
    });
    manifest(json!({ "fsLayers": layers, "history": history.collect::<Vec<_>>() }))
}

#[test]
fn an_image_is_converted_letter_by_letter_as_distribution_does_it() {
    let layers = [layer("layer one"), layer("layer two")];
    let converted =
        convert(&"team/app".parse().unwrap(), &"v2".parse().unwrap(), &layers, CONFIG).unwrap();
    let theirs = pushed(SIGNED).unwrap().payload;
    assert_eq!(String::from_utf8(converted.payload).unwrap(), String::from_utf8_lossy(&theirs));
    assert!(converted.has_empty_layer);
    assert_eq!(Digest::of(Algorithm::Sha256, &theirs).to_string(), DIGEST);
}

#[test]
fn what_a_configuration_says_of_entries_is_not_what_the_chain_says() {
    for member in
        [r#""parent":{"Env":["A=b"]}"#, r#""Parent":"ab""#, r#""id":1"#, r#""throwaway":"yes""#]
    {
        let config = format!(
            r#"{{{member},"architecture":"amd64","history":[{{}}],"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            digest("x")
        );
        let (name, tag) = ("app".parse().unwrap(), "v1".parse().unwrap());
        let made = convert(&name, &tag, &[layer("x")], config.as_bytes()).unwrap();
        let document = sign(&made.payload, &key()).unwrap();
        assert_eq!(pushed(&document).unwrap().payload, made.payload, "{member}");
    }
}

#[test]
fn the_base_layer_of_windows_is_the_parent_of_the_lowest_image() {
    let config = format!(
        r#"{{"architecture": "amd64", "os": "windows", "rootfs": {{"type": "layers+base", "diff_ids": ["sha256:{}", "sha256:{}"], "base_layer": "sha256:{}"}}, "history": [{{"created": "2016-01-02T03:04:05.123456789Z", "created_by": "a"}}, {{"created": "2016-01-02T03:04:05.5+02:00"}}]}}"#,
        "a".repeat(64),
        "b".repeat(64),
        "c".repeat(64)
    );
    let layers = [layer("layer one"), layer("layer one")];
    let theirs = "sha256:b01405bbde1a14a16077c899083e59aac9504902161d0472b45e75ca70f23320";
    let ours = converted("win", "v1", &layers, config.as_bytes()).unwrap();
    assert_eq!(ours.to_string(), theirs);
}

#[test]
fn what_has_no_form_in_schema_1_is_told_why() {
    let config =
        |history: Value| json!({ "rootfs": { "diff_ids": ["a"] }, "history": history }).to_string();
    let convert = |config: String| {
        let layers = [layer("a")];
        converted("app", "v1", &layers, config.as_bytes()).unwrap_err()
    };
    assert_eq!(convert("[]".into()), NoForm::Config);
    assert_eq!(convert("{}".into()), NoForm::NoHistory);
    assert_eq!(convert(config(json!([]))), NoForm::NoHistory);
    assert_eq!(convert(config(json!(vec![json!({}); 4097]))), NoForm::TooLong(4097));
    assert_eq!(convert(json!({ "history": [{}] }).to_string()), NoForm::Config);
    let none = json!({ "rootfs": {}, "history": [{}] }).to_string();
    assert_eq!(convert(none), NoForm::Layers { layers: 1, diff_ids: 0 });
    assert_eq!(convert(config(json!([{}, {}]))), NoForm::TooFewLayers);
    let times = [
        "",
        "now",
        "2020-01-02",
        "2020-01-02 03:04:05Z",
        "2020-01-02T03:04:60Z",
        "2020-13-02T03:04:05Z",
        "2020-01-02T03:04:05",
        "2020-01-02T03:04:05z",
        "2020-01-02T03:04:05.Z",
        "2020-01-0éT03:04:05Z",
    ];
    for time in times {
        let history = json!([{ "created": time, "empty_layer": true }, {}]);
        assert_eq!(convert(config(history)), NoForm::Time(1), "{time}");
    }
    let long = "<".repeat(700_000);
    let history = json!([{ "created_by": long, "empty_layer": true }, {}]);
    assert_eq!(convert(config(history)), NoForm::TooLarge);
}

#[test]
fn times_are_written_as_go_writes_them() {
    let entry = |created: &str| {
        let config = json!({
            "rootfs": { "diff_ids": ["a"] },
            "history": [{ "created": created, "empty_layer": true }, {}],
        });
        let (name, tag) = ("app".parse().unwrap(), "v1".parse().unwrap());
        let converted = convert(&name, &tag, &[layer("a")], config.to_string().as_bytes()).unwrap();
        let document: Value = serde_json::from_slice(&converted.payload).unwrap();
        let entry = document["history"][1]["v1Compatibility"].as_str().unwrap();
        let entry: Value = serde_json::from_str(entry).unwrap();
        entry["created"].as_str().unwrap().to_owned()
    };
    for (written, meant) in [
        ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05.000Z", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05.100200300Z", "2020-01-02T03:04:05.1002003Z"),
        ("2020-01-02T03:04:05.1234567899Z", "2020-01-02T03:04:05.123456789Z"),
        ("2020-01-02T03:04:05.50+02:00", "2020-01-02T03:04:05.5+02:00"),
        ("2020-01-02T03:04:05-00:00", "2020-01-02T03:04:05Z"),
    ] {
        assert_eq!(entry(written), meant, "{written}");
    }
}

#[test]
fn what_distribution_signed_is_verified() {
    let pushed = pushed(SIGNED).unwrap();
    assert_eq!(pushed.manifest.kind, ManifestType::DockerSchema1Signed);
    let empty = Digest::of(Algorithm::Sha256, &EMPTY_LAYER);
    let layers: Vec<_> = pushed.manifest.layers.iter().map(|layer| layer.digest).collect();
    assert_eq!(layers, [digest("layer one"), empty, digest("layer two")]);
}

#[test]
fn a_document_is_signed_in_its_own_style_and_stays_the_same_without_signatures() {
    let one_line = PAYLOAD.replace('\n', "").replace("   ", "");
    let wide = PAYLOAD.replace("   ", &" ".repeat(17));
    let lines = format!("{PAYLOAD}\n \n");
    for payload in [PAYLOAD, &one_line, &wide, &lines, &PAYLOAD.replace("   ", "\t")] {
        let document = signed(payload);
        let pushed = pushed(&document).unwrap();
        assert_eq!(pushed.payload, payload);
        // Again, with what was cut out.
        assert_eq!(sign(&pushed.payload, &key()).unwrap().len(), document.len());
    }
    let text = String::from_utf8(signed(PAYLOAD)).unwrap();
    assert!(text.contains("],\n   \"signatures\": [\n      {\n         \"header\": {"), "{text}");
    assert!(text.ends_with("\n      }\n   ]\n}"), "{text}");
    assert_eq!(String::from_utf8(signed(&one_line)).unwrap().lines().count(), 1);
    for payload in ["", "{}", "[]", "{", "\"}", " { } "] {
        assert_eq!(sign(payload.as_bytes(), &key()), None, "{payload}");
    }
}

#[test]
fn signatures_that_are_wrong_or_odd_are_refused_as_unverified() {
    let unverified = [
        resigned(PAYLOAD, |all| all[0]["header"]["alg"] = "ES384".into()),
        resigned(PAYLOAD, |all| all[0]["header"]["alg"] = "none".into()),
        resigned(PAYLOAD, |all| all[0]["header"]["alg"] = "HS256".into()),
        resigned(PAYLOAD, |all| all[0]["signature"] = "".into()),
        resigned(PAYLOAD, |all| all[0]["signature"] = "?".into()),
        resigned(PAYLOAD, |all| all[0]["header"] = json!({ "alg": "ES256" })),
        resigned(PAYLOAD, |all| all[0]["header"]["jwk"]["kid"] = "AAAA".into()),
        resigned(PAYLOAD, |all| all[0]["header"]["jwk"]["kty"] = "oct".into()),
        resigned(PAYLOAD, |all| all[0]["header"]["jwk"]["x"] = "AAAA".into()),
        resigned(PAYLOAD, |all| all[0]["header"]["x5c"] = json!(["MAA="])),
        String::from_utf8(signed(PAYLOAD)).unwrap().replace("v1", "v2").into_bytes(),
    ];
    for document in unverified {
        let refused = refused(&document);
        assert_eq!(refused.code(), ErrorCode::ManifestUnverified, "{refused}");
    }
    // One that is right does not speak for the others.
    let other = resigned(PAYLOAD, |all| {
        let mut wrong = all[0].clone();
        wrong["signature"] = "AAAA".into();
        all.as_array_mut().unwrap().push(wrong);
    });
    assert_eq!(refused(&other).to_string(), "signature 2 does not verify");
}

#[test]
fn a_document_that_is_not_signed_as_a_whole_is_refused() {
    let protected = |length: Value, tail: &str| {
        let header =
            json!({ "formatLength": length, "formatTail": base64url::encode(tail.as_bytes()) });
        base64url::encode(header.to_string().as_bytes())
    };
    let with = |header: String| resigned(PAYLOAD, |all| all[0]["protected"] = header.into());
    let twice = resigned(PAYLOAD, |all| {
        let mut other = all[0].clone();
        other["protected"] = protected(json!(5), "}").into();
        all.as_array_mut().unwrap().push(other);
    });
    let many = resigned(PAYLOAD, |all| *all = vec![all[0].clone(); 17].into());
    let rows = [
        (PAYLOAD.into(), "manifest is not signed"),
        (resigned(PAYLOAD, |all| *all = json!([])), "manifest is not signed"),
        (resigned(PAYLOAD, |all| *all = json!(null)), "manifest is not signed"),
        (resigned(PAYLOAD, |all| *all = json!({})), "manifest cannot be read"),
        (b"?".to_vec(), "manifest cannot be read"),
        (many, "manifest has 17 signatures, where 16 are the most"),
        (with(String::new()), "signature 1 has no protected header"),
        (with(protected(json!(-1), "}")), "signature 1 has no protected header"),
        (with(protected(json!(1e18), "}")), "signature 1 has no protected header"),
        (with(protected(json!("5"), "}")), "signature 1 has no protected header"),
        (with(protected(json!(1_000_000), "}")), "signature 1 has no protected header"),
        (with(protected(json!(5), &"x".repeat(4 << 20))), "manifest is longer than 4 MiB"),
        (twice, "signature 2 is over another part"),
    ];
    for (document, reason) in rows {
        let refused = refused(&document);
        assert!(refused.to_string().starts_with(reason), "{reason}: {refused}");
        assert_eq!(refused.code(), ErrorCode::ManifestInvalid);
    }
}

#[test]
fn what_another_reader_takes_for_another_manifest_is_refused() {
    let ambiguous = |changes, field| {
        let document = signed(&manifest(changes));
        assert!(
            matches!(refused(&document), Refused::Ambiguous(found) if found == field),
            "{field}"
        );
    };
    ambiguous(json!({ "config": {} }), "config");
    ambiguous(json!({ "Layers": [] }), "layers");
    ambiguous(json!({ "manifests": [] }), "manifests");
    ambiguous(json!({ "mediaType": ManifestType::OciManifest.as_str() }), "mediaType");
    let inside = "{\"signatures\": [], \"schemaVersion\": 1, \"name\": \"app\"}";
    let document = sign(inside.as_bytes(), &key()).unwrap();
    // Two members of that name are one too many for a start.
    assert_eq!(refused(&document).code(), ErrorCode::ManifestInvalid);
    let found = Some(2);
    assert!(matches!(
        refused(&signed(&manifest(json!({ "schemaVersion": 2 })))),
        Refused::Manifest(ManifestError::SchemaVersion { found: told }) if told == found
    ));
    let own = json!({ "mediaType": ManifestType::DockerSchema1.as_str(), "config": null });
    assert!(pushed(&signed(&manifest(own))).is_ok());
}

#[test]
fn a_name_may_have_a_host_and_must_be_one() {
    for name in ["app", "library/app", "registry.example.com/app", "LOCALHOST:5000/a/b"] {
        assert!(pushed(&signed(&manifest(json!({ "name": name })))).is_ok(), "{name}");
    }
    for name in ["", "App", "a//b", "../a", "a b/c", "/a", "a/"] {
        let refused = refused(&signed(&manifest(json!({ "name": name }))));
        assert_eq!(refused.code(), ErrorCode::NameInvalid, "{name}");
    }
    let long = "a/".repeat(200);
    assert_eq!(refused(&signed(&manifest(json!({ "name": long })))).code(), ErrorCode::NameInvalid);
    assert!(pushed(&signed(&manifest(json!({ "tag": "" })))).is_ok());
    for tag in ["a/b", "-a", "\n", &"a".repeat(129)] {
        let refused = refused(&signed(&manifest(json!({ "tag": tag }))));
        assert_eq!(refused.code(), ErrorCode::TagInvalid, "{tag}");
    }
}

#[test]
fn images_are_a_chain() {
    let fine: [&[(&str, &str)]; 5] = [
        &[("a", "b"), ("b", "c"), ("c", "")],
        // Twice the same, and the base of Windows' images.
        &[("a", "b"), ("a", "b"), ("b", "c")],
        // Nothing is said.
        &[("", ""), ("", "")],
        &[("", ""), ("a", "")],
        &[],
    ];
    for images in fine {
        assert!(pushed(&signed(&chain(images))).is_ok(), "{images:?}");
    }
    let broken = refused(&signed(&chain(&[("a", "b"), ("b", "c"), ("d", "")])));
    assert!(matches!(broken, Refused::Chain(2)), "{broken}");
    let rootless = refused(&signed(&chain(&[("a", ""), ("b", "")])));
    assert!(matches!(rootless, Refused::Chain(1)), "{rootless}");
    let odd = refused(&signed(&chain(&[("a", "b"), ("B", "")])));
    assert!(matches!(odd, Refused::Id(2)), "{odd}");
    let one = json!([{ "blobSum": digest("a") }]);
    let entry = |text: &str| json!([{ "v1Compatibility": text }]);
    let unread = signed(&manifest(json!({ "fsLayers": one, "history": entry("{") })));
    assert!(matches!(refused(&unread), Refused::Entry(1)));
    let silent = signed(&manifest(json!({ "fsLayers": one, "history": entry("") })));
    assert!(pushed(&silent).is_ok());
    let lengths = signed(&manifest(json!({ "fsLayers": one })));
    assert!(matches!(refused(&lengths), Refused::Lengths { layers: 1, history: 0 }));
    let unnamed = signed(&manifest(json!({ "fsLayers": [{}], "history": entry("") })));
    assert!(matches!(refused(&unnamed), Refused::Manifest(ManifestError::Missing { .. })));
}

/// A file of a key.
fn file(name: &str, contents: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    #[expect(clippy::disallowed_methods, reason = "nobody else reads it")]
    fs::write(&path, contents).unwrap();
    (folder, path)
}

fn pem(kind: &str, headers: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {kind}-----\n{headers}{}\n-----END {kind}-----\n", lines.join("\n"))
}

/// Signs with a key of a file, and verifies.
#[track_caller]
fn works(path: &Path, algorithm: &str) -> PublicKey {
    let key = SigningKey::open(path).unwrap();
    let document = sign(PAYLOAD.as_bytes(), &key).unwrap();
    let text = String::from_utf8_lossy(&document);
    assert!(text.contains(&format!("\"alg\": \"{algorithm}\"")), "{text}");
    assert_eq!(pushed(&document).unwrap().payload, PAYLOAD);
    key.public().clone()
}

#[test]
fn a_key_on_any_of_three_curves_may_stand_in_pem_or_as_json() {
    for curve in Curve::ALL {
        let pair = EcdsaKeyPair::generate(sign::signing(curve)).unwrap();
        let sec1 = pair.private_key().as_der().unwrap();
        let header = "keyID: ABCD:EFGH\nhosts: a,b\n\n";
        let (_folder, path) = file("key.pem", &pem("EC PRIVATE KEY", header, sec1.as_ref()));
        let public = works(&path, curve.algorithm());
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        let (_folder, path) = file("key", &pem("PRIVATE KEY", "", pkcs8.as_ref()));
        assert_eq!(works(&path, curve.algorithm()), public);
        let mut jwk = public.to_jwk();
        let private = pair.private_key().as_be_bytes().unwrap();
        jwk.insert("d".into(), base64url::encode(private.as_ref()).into());
        let (_folder, path) = file("key.json", &Value::from(jwk).to_string());
        assert_eq!(works(&path, curve.algorithm()), public);
    }
}

#[test]
fn an_rsa_key_may_stand_in_pem_or_as_json() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let (_folder, path) = file("key.pem", &pem("PRIVATE KEY", "", pkcs8.as_ref()));
    let public = works(&path, "RS256");
    let (_, info) = parse_der(pkcs8.as_ref()).unwrap();
    let pkcs1 = info[2].as_slice().unwrap();
    let (_folder, path) = file("key.pem", &pem("RSA PRIVATE KEY", "keyID: AB\n\n", pkcs1));
    assert_eq!(works(&path, "RS256"), public);
    let (_, numbers) = parse_der(pkcs1).unwrap();
    let mut jwk = public.to_jwk();
    for (index, name) in ["d", "p", "q", "dp", "dq", "qi"].into_iter().enumerate() {
        let number = numbers[index + 3].as_slice().unwrap();
        jwk.insert(name.into(), base64url::encode(number).into());
    }
    let (_folder, path) = file("key.jwk", &Value::from(jwk).to_string());
    assert_eq!(works(&path, "RS256"), public);
}

#[test]
fn a_certificate_may_stand_for_the_key() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
    let (_folder, path) = file("key.pem", &pair.serialize_pem());
    let key = SigningKey::open(&path).unwrap();
    let chained = |certificate: &[u8], key: &SigningKey| {
        let document = sign(PAYLOAD.as_bytes(), key).unwrap();
        let mut document: Value = serde_json::from_slice(&document).unwrap();
        let header = &mut document["signatures"][0]["header"];
        *header = json!({ "alg": "ES256", "x5c": [STANDARD.encode(certificate)] });
        resigned(PAYLOAD, |all| *all = document["signatures"].clone())
    };
    assert!(pushed(&chained(certificate.der(), &key)).is_ok());
    let other = chained(certificate.der(), &SigningKey::generate().unwrap());
    assert_eq!(refused(&other).code(), ErrorCode::ManifestUnverified);
}

#[test]
fn a_name_of_a_key_is_libtrust_s() {
    // From a signature that docker-registry made.
    let document: Value = serde_json::from_slice(SIGNED).unwrap();
    let mut jwk = document["signatures"][0]["header"]["jwk"].as_object().unwrap().clone();
    let kid = jwk.remove("kid").unwrap();
    let key = PublicKey::from_jwk(&jwk).unwrap();
    assert_eq!(kid, key.id());
    jwk.insert("kid".into(), json!(1));
    assert_eq!(PublicKey::from_jwk(&jwk), Err(NoKey::Name));
}

#[test]
fn a_file_without_a_key_is_refused_and_not_shown() {
    let secret = "hunter2";
    let weak = r#"{"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB", "p": "AQ", "q": "AQ", "dp": "AQ", "dq": "AQ", "qi": "AQ"}"#;
    let rows = [
        ("", "holds no private key in PEM"),
        ("hunter2", "holds no private key in PEM"),
        (&pem("EC PRIVATE KEY", "", b"hunter2"), "holds a key that cannot be used"),
        (&pem("PUBLIC KEY", "", b"hunter2"), "holds no private key in PEM"),
        ("{\"kty\": \"hunter2\"", "is no JSON object"),
        ("{\"kty\": \"hunter2\"}", "holds no whole JSON Web Key"),
        (
            "{\"kty\": \"EC\", \"crv\": \"P-256\", \"d\": \"hunter2\"}",
            "holds no whole JSON Web Key",
        ),
        (weak, "holds a key that cannot be used"),
    ];
    for (contents, wrong) in rows {
        let (_folder, path) = file("key.pem", contents);
        let error = SigningKey::open(&path).unwrap_err();
        assert!(error.to_string().contains(wrong), "{contents}: {error}");
        assert!(!format!("{error} {error:?}").contains(secret));
    }
    let error = SigningKey::open(Path::new("/nowhere/key")).unwrap_err();
    assert_eq!(error.to_string(), "failed to read `/nowhere/key`");
}

proptest! {
    #[test]
    fn nothing_that_is_pushed_panics(at in 0..SIGNED.len(), byte: u8, cut in 0..SIGNED.len()) {
        let mut document = SIGNED.to_vec();
        document[at] = byte;
        let is_whole = document == SIGNED;
        prop_assert!(pushed(&document).is_ok() || !is_whole);
        // Whatever is accepted has the very payload that was signed.
        if let Ok(pushed) = pushed(&document) {
            prop_assert_eq!(Digest::of(Algorithm::Sha256, &pushed.payload).to_string(), DIGEST);
        }
        prop_assert!(pushed(&document[..cut]).is_err());
    }

    #[test]
    fn nothing_that_is_converted_panics(at in 0..CONFIG.len(), byte: u8, cut in 0..CONFIG.len()) {
        let mut config = CONFIG.to_vec();
        config[at] = byte;
        let layers = [layer("layer one"), layer("layer two")];
        for config in [&config[..], &config[..cut]] {
            if let Ok(converted) =
                convert(&"app".parse().unwrap(), &"v1".parse().unwrap(), &layers, config)
            {
                // What is made is what we would take.
                prop_assert!(pushed(&sign(&converted.payload, &key()).unwrap()).is_ok());
            }
        }
    }

    #[test]
    fn nothing_that_is_stored_panics(bytes: Vec<u8>, payload in "[{}\"a ,\n\t]{0,12}") {
        sign(&bytes, &key());
        sign(payload.as_bytes(), &key());
    }
}
