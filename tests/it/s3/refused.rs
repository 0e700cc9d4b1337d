//! What is said when a bucket cannot be used: which object, the store's own words, and what may be the cause.

use serde_json::{Value, json};

use super::bucket::Bucket;
use crate::support::{World, free_port, seaweed::Seaweed};

/// What a collection says of a bucket with these options changed.
fn said(changed: &Value) -> String {
    let bucket = Bucket::new();
    let mut options = bucket.options();
    options["maxretries"] = json!(0);
    for (name, value) in changed.as_object().unwrap() {
        options[name] = value.clone();
    }
    let config = json!({
        "version": 0.1,
        "storage": { "s3": options },
        "http": { "addr": "127.0.0.1:0", "secret": "s" },
    });
    let world = World::new();
    std::fs::write(world.path("config.yml"), config.to_string()).unwrap();
    let path = world.path("config.yml");
    let ran = world.run(&["registry", "garbage-collect", path.to_str().unwrap()]);
    assert_ne!(ran.exit, 0, "{ran:?}");
    assert!(!ran.stderr.contains(Seaweed::SECRET_KEY), "{}", ran.stderr);
    ran.stderr.replace(&bucket.root, "ROOT").trim_end().to_owned()
}

#[test]
#[ignore = "needs weed: run cargo xtask test"]
fn each_mistake_is_named() {
    let port = free_port();
    let tls = Seaweed::shared().endpoint("https");
    let nobody = format!("http://127.0.0.1:{port}");
    let rows = [
        ("another access key", json!({ "accesskey": "nobody" })),
        ("another secret", json!({ "secretkey": "not the secret" })),
        ("no such bucket", json!({ "bucket": "elsewhere" })),
        ("nobody there", json!({ "regionendpoint": nobody })),
        ("an unknown certificate", json!({ "regionendpoint": tls })),
        ("one that is taken all the same", json!({ "regionendpoint": tls, "skipverify": true })),
    ];
    let mut told = String::new();
    for (mistake, changed) in rows {
        let said = said(&changed).replace(&nobody, "http://127.0.0.1:PORT");
        told.push_str(&[mistake, ":\n", &said, "\n\n"].concat());
    }
    assert_eq!(told, include_str!("refused.txt"), "{told}");
}
