//! `validation` and `policy`: which manifests a registry takes.

use serde_json::{Value, json};

use crate::{
    client::Client,
    pusher::{DOCKER, INDEX, MANIFEST, descriptor, image, push_blob, put, with},
    server::Running,
};

const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
const NON_DISTRIBUTABLE: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

/// Status and code of an answer.
type Answered = (u16, String);

/// An image with a layer that is elsewhere.
fn with_layer(kind: &str, layer: &str, urls: &[&str]) -> Value {
    let layer = with(descriptor(layer, "not here"), json!({ "urls": urls }));
    with(image(kind, "foreign"), json!({ "layers": [layer] }))
}

async fn answered(client: &mut Client, document: &Value) -> Answered {
    let answer = put(client, "/v2/app/manifests/v1", document, &[]).await;
    let code = if answer.status == 201 { String::new() } else { answer.code() };
    (answer.status, code)
}

#[tokio::test]
async fn layers_may_be_elsewhere_only_under_urls_that_are_allowed() {
    let rules =
        "validation: {manifests: {urls: {allow: ['^https://mirror\\.'], deny: ['/secret/']}}}";
    let (fine, invalid) = ((201, String::new()), (400, "MANIFEST_INVALID".to_owned()));
    let unknown = (400, "MANIFEST_BLOB_UNKNOWN".to_owned());
    let good = "https://mirror.example.com/layer";
    let secret = "https://mirror.example.com/secret/layer";
    let rows: [(&[&str], [&Answered; 3]); 6] = [
        // Under no rules, under these, and without validation.
        (&[good], [&fine, &fine, &fine]),
        (&["https://other.example.com/layer"], [&fine, &invalid, &fine]),
        (&[good, secret], [&fine, &invalid, &fine]),
        (&["ftp://mirror.example.com/layer"], [&invalid, &invalid, &invalid]),
        (&["https://mirror.example.com/layer#part"], [&invalid, &invalid, &invalid]),
        (&[], [&unknown, &unknown, &unknown]),
    ];
    for (index, settings) in ["", rules, "validation: {disabled: true}"].into_iter().enumerate() {
        let server = Running::deleting(settings);
        let mut client = server.client().await;
        push_blob(&mut client, "app", "{}").await;
        for (urls, expected) in &rows {
            for (kind, layer) in [(DOCKER, FOREIGN), (MANIFEST, NON_DISTRIBUTABLE)] {
                let found = answered(&mut client, &with_layer(kind, layer, urls)).await;
                assert_eq!(&found, expected[index], "{settings} {layer} {urls:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_index_needs_the_platforms_that_the_settings_name() {
    let sparse = |platforms: &[(&str, &str)]| {
        let child = |(architecture, os): &(&str, &str)| {
            let platform = json!({ "architecture": architecture, "os": os });
            let missing = descriptor(MANIFEST, &format!("missing {architecture} {os}"));
            with(missing, json!({ "platform": platform }))
        };
        let children: Vec<Value> = platforms.iter().map(child).collect();
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children })
    };
    let list = "validation: {manifests: {indexes: {platforms: list, \
                platformlist: [{architecture: amd64, os: linux}]}}}";
    for (settings, linux, windows) in [
        ("", 400, 400),
        ("validation: {manifests: {indexes: {platforms: all}}}", 400, 400),
        ("validation: {manifests: {indexes: {platforms: none}}}", 201, 201),
        (list, 400, 201),
    ] {
        let server = Running::deleting(settings);
        let mut client = server.client().await;
        for (platform, status) in [("linux", linux), ("windows", windows)] {
            let found = answered(&mut client, &sparse(&[("amd64", platform)])).await;
            let code = if status == 201 { "" } else { "MANIFEST_BLOB_UNKNOWN" };
            assert_eq!(found, (status, code.to_owned()), "{settings} {platform}");
        }
    }
}

#[tokio::test]
async fn limits_and_classes_are_kept() {
    let server = Running::deleting(
        "validation: {manifests: {referencelimit: 2, payloadsizelimit: 2000}}\n\
         policy: {repository: {classes: [image]}}",
    );
    let mut client = server.client().await;
    push_blob(&mut client, "app", "{}").await;
    let layer = descriptor("application/vnd.oci.image.layer.v1.tar", "{}");
    let layers = |count: usize| {
        with(image(MANIFEST, "layers"), json!({ "layers": vec![layer.clone(); count] }))
    };
    assert_eq!(answered(&mut client, &layers(1)).await.0, 201);
    let many = (400, "MANIFEST_INVALID".to_owned());
    assert_eq!(answered(&mut client, &layers(2)).await, many);
    let large = image(MANIFEST, &"x".repeat(2000));
    assert_eq!(answered(&mut client, &large).await, (413, "MANIFEST_INVALID".to_owned()));
    for (config, status) in [
        ("application/vnd.docker.container.image.v1+json", 201),
        ("application/vnd.docker.plugin.v1+json", 403),
        ("application/vnd.cncf.helm.config.v1+json", 403),
    ] {
        let document =
            with(image(MANIFEST, "class"), json!({ "config": descriptor(config, "{}") }));
        let code = if status == 201 { "" } else { "DENIED" };
        let found = answered(&mut client, &document).await;
        assert_eq!(found, (status, code.to_owned()), "{config}");
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] });
    assert_eq!(answered(&mut client, &index).await.0, 201);
}
