//! Manifests: stored byte for byte, found by tag and digest, gone when deleted. Docker's types, which 2.8.2 serves to
//! whoever names them; what it does with OCI's is in the specification's table.

use serde_json::{Value, json};

use crate::{
    api::{
        fixture::{DOCKER_LIST, DOCKER_MANIFEST, Image, OCI_INDEX, OCI_MANIFEST, descriptor},
        table::{
            Expected::{Body, Code, Is, Json, Lacks},
            Row,
            Theirs::{self, Other},
            Words, row,
        },
    },
    support::http::{Client, sha256},
};

type Headers = &'static [(&'static str, &'static str)];

const IMAGE: Headers = &[("Content-Type", DOCKER_MANIFEST)];
const LIST: Headers = &[("Content-Type", DOCKER_LIST)];
const OCI: Headers = &[("Content-Type", OCI_MANIFEST)];
const INDEX: Headers = &[("Content-Type", OCI_INDEX)];
const TAKES_IMAGE: Headers = &[("Accept", DOCKER_MANIFEST)];
const TAKES_LIST: Headers = &[("Accept", DOCKER_LIST)];
const TAKES_OCI: Headers = &[("Accept", OCI_MANIFEST)];
const TAKES_INDEX: Headers = &[("Accept", OCI_INDEX)];

const IS_SCHEMA1: Theirs = Other(
    400,
    &[Code("MANIFEST_INVALID")],
    "2.8.2 takes what names no type for schema 1, which is switched off",
);

#[rustfmt::skip] // One request a line reads as the table that it is.
pub(super) const ROWS: &[Row] = &[
    row("pushing manifests", "PUT", "/v2/app/manifests/v1", 201, &[Is("Location", "http://registry.test/v2/app/manifests/{image}"), Is("Docker-Content-Digest", "{image}"), Is("Content-Length", "0")]).with(IMAGE).body("{image}"),
    row("pulling manifests: by tag", "GET", "/v2/app/manifests/v1", 200, &[Is("Content-Type", DOCKER_MANIFEST), Is("Content-Length", "{length}"), Is("Docker-Content-Digest", "{image}"), Is("ETag", "\"{image}\""), Is("Docker-Distribution-Api-Version", "registry/2.0"), Body("{image}")]).with(TAKES_IMAGE),
    row("pulling manifests: by digest", "GET", "/v2/app/manifests/{image}", 200, &[Is("Content-Type", DOCKER_MANIFEST), Is("Docker-Content-Digest", "{image}"), Body("{image}")]).with(TAKES_IMAGE),
    row("checking if content exists", "HEAD", "/v2/app/manifests/v1", 200, &[Is("Content-Type", DOCKER_MANIFEST), Is("Content-Length", "{length}"), Is("Docker-Content-Digest", "{image}"), Body("")]).with(TAKES_IMAGE),
    row("pulling manifests: several types in one Accept", "GET", "/v2/app/manifests/v1", 200, &[Is("Content-Type", DOCKER_MANIFEST), Body("{image}")]).with(&[("Accept", "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json;q=0.5, */*")]),
    row("2.8: a digest as ETag", "GET", "/v2/app/manifests/v1", 304, &[Body("")]).with(&[("If-None-Match", "\"{image}\""), ("Accept", DOCKER_MANIFEST)]),
    row("2.8: a digest without quotes", "GET", "/v2/app/manifests/v1", 304, &[]).with(&[("If-None-Match", "{image}"), ("Accept", DOCKER_MANIFEST)]),
    row("RFC 9110, 15.4.5: a 304 has the ETag", "GET", "/v2/app/manifests/v1", 304, &[Is("ETag", "\"{image}\"")]).with(&[("If-None-Match", "\"{image}\""), ("Accept", DOCKER_MANIFEST)]).but(Other(304, &[Lacks("ETag")], "2.8.2 answers before it has set any header")),
    row("RFC 9110, 13.1.2: another", "GET", "/v2/app/manifests/v1", 200, &[Body("{image}")]).with(&[("If-None-Match", "\"other\""), ("Accept", DOCKER_MANIFEST)]),

    row("pushing manifests: a list", "PUT", "/v2/app/manifests/list", 201, &[Is("Docker-Content-Digest", "{list}")]).with(LIST).body("{list}"),
    row("pulling manifests: a list", "GET", "/v2/app/manifests/list", 200, &[Is("Content-Type", DOCKER_LIST), Body("{list}")]).with(TAKES_LIST),
    row("2.8: a list, for a client that takes images only", "GET", "/v2/app/manifests/list", 200, &[Is("Content-Type", DOCKER_MANIFEST), Is("Docker-Content-Digest", "{image}"), Body("{image}")]).with(TAKES_IMAGE),
    row("2.8: a list by digest is what was asked for", "GET", "/v2/app/manifests/{list}", 200, &[Is("Content-Type", DOCKER_LIST), Body("{list}")]).with(TAKES_LIST),
    row("pushing manifests: OCI's image", "PUT", "/v2/app/manifests/oci", 201, &[Is("Docker-Content-Digest", "{oci}")]).with(OCI).body("{oci}"),
    row("pulling manifests: OCI's image", "GET", "/v2/app/manifests/oci", 200, &[Is("Content-Type", OCI_MANIFEST), Body("{oci}")]).with(TAKES_OCI),
    row("pushing manifests: OCI's index, which names no type", "PUT", "/v2/app/manifests/index", 201, &[Is("Docker-Content-Digest", "{index}")]).with(INDEX).body("{index}"),
    row("pulling manifests: OCI's index", "GET", "/v2/app/manifests/index", 200, &[Is("Content-Type", OCI_INDEX), Body("{index}")]).with(TAKES_INDEX),
    row("pushing manifests: OCI's image, which names no type", "PUT", "/v2/app/manifests/untyped", 201, &[]).with(OCI).body("{untyped}"),
    row("pulling manifests: OCI's image, which names no type", "GET", "/v2/app/manifests/untyped", 200, &[Is("Content-Type", OCI_MANIFEST), Body("{untyped}")]).with(TAKES_OCI),
    row("image index: manifests MAY be empty", "PUT", "/v2/app/manifests/none", 201, &[]).with(INDEX).body("{none}"),
    row("accept more: a type that only the document names", "PUT", "/v2/app/manifests/bare", 201, &[Is("Docker-Content-Digest", "{image}")]).body("{image}").but(IS_SCHEMA1),

    row("pushing manifests: a tag moves", "PUT", "/v2/app/manifests/v1", 201, &[Is("Docker-Content-Digest", "{other}")]).with(IMAGE).body("{other}"),
    row("pushing manifests: a tag has moved", "GET", "/v2/app/manifests/v1", 200, &[Body("{other}")]).with(TAKES_IMAGE),
    row("pushing manifests: what it named before stays", "GET", "/v2/app/manifests/{image}", 200, &[Body("{image}")]).with(TAKES_IMAGE),
    row("pushing manifests: by digest", "PUT", "/v2/untagged/manifests/{image}", 201, &[Is("Docker-Content-Digest", "{image}")]).with(IMAGE).body("{image}"),
    row("listing tags: a repository without tags", "GET", "/v2/untagged/tags/list", 200, &[Json(r#"{"name":"untagged","tags":[]}"#)]).but(Other(404, &[Code("NAME_UNKNOWN")], "2.8.2 takes a repository without a tags folder for none")),

    row("deleting manifests", "PUT", "/v2/untagged/manifests/one", 201, &[]).with(IMAGE).body("{image}"),
    row("deleting manifests", "DELETE", "/v2/untagged/manifests/{image}", 202, &[Is("Content-Length", "0")]),
    row("deleting manifests: gone", "GET", "/v2/untagged/manifests/{image}", 404, &[Code("MANIFEST_UNKNOWN")]),
    row("deleting manifests: its tags too", "GET", "/v2/untagged/manifests/one", 404, &[Code("MANIFEST_UNKNOWN")]),
    row("deleting manifests: twice", "DELETE", "/v2/untagged/manifests/{image}", 404, &[Code("MANIFEST_UNKNOWN")]),
    row("deleting manifests: another repository's stays", "GET", "/v2/app/manifests/{image}", 200, &[Body("{image}")]).with(TAKES_IMAGE),
    row("deleting manifests: pushed again", "PUT", "/v2/untagged/manifests/one", 201, &[]).with(IMAGE).body("{image}"),
    row("deleting manifests: pushed again", "GET", "/v2/untagged/manifests/one", 200, &[Body("{image}")]).with(TAKES_IMAGE),
    row("2.8: a child of a list may be deleted", "DELETE", "/v2/app/manifests/{image}", 202, &[]),
    row("2.8: a child of a list may be deleted", "GET", "/v2/app/manifests/list", 200, &[Body("{list}")]).with(TAKES_LIST),
];

pub(super) fn prepare(client: &mut Client) -> Words {
    let (app, other) = (Image::of("app"), Image::of("other"));
    for (image, name) in [(&app, "app"), (&other, "app"), (&app, "untagged")] {
        image.push_blobs(client, name);
    }
    // With odd white space: it is the bytes that count.
    let pretty =
        |document: &Value| format!("\n{} \n\t", serde_json::to_string_pretty(document).unwrap());
    let of = |image: &Image, kind: Option<&str>| {
        let mut document: Value = serde_json::from_slice(&image.manifest).unwrap();
        document.as_object_mut().unwrap().remove("mediaType");
        if let Some(kind) = kind {
            document["mediaType"] = json!(kind);
        }
        pretty(&document)
    };
    let (image, moved) = (of(&app, Some(DOCKER_MANIFEST)), of(&other, Some(DOCKER_MANIFEST)));
    let mut child = descriptor(DOCKER_MANIFEST, image.as_bytes());
    child["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    let list = json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [child] });
    let index = json!({ "schemaVersion": 2, "manifests": [child] });
    let none = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
    let documents = vec![
        ("{image}", image),
        ("{other}", moved),
        ("{list}", pretty(&list)),
        ("{oci}", of(&app, Some(OCI_MANIFEST))),
        ("{index}", pretty(&index)),
        ("{untyped}", of(&app, None)),
        ("{none}", pretty(&none)),
    ];
    let digest =
        |(name, text): &(&'static str, String)| (*name, sha256(text.as_bytes()).to_string());
    let mut words: Vec<_> = documents.iter().map(digest).collect();
    words.push(("{length}", documents[0].1.len().to_string()));
    Words { words, documents }
}
