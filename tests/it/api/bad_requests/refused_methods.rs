//! Methods that a resource does not have, or not now.

use serde_json::json;

use super::row::{Peer, Row};
use crate::{
    api::fixture::{Image, OCI_MANIFEST, Registry},
    support::http::{Request, sha256},
};

const NO_METHOD: &str = "RFC 9110, section 15.5.6: 405 MUST carry Allow";
const DISABLED: &str = "as Distribution: disabled deletes are 405 UNSUPPORTED";
const READ_ONLY: &str = "as Distribution: readonly removes the write methods (405 + Allow)";

fn row(name: &'static str, method: &str, target: &str, allow: &'static str) -> Row {
    Row::new(name, Request::new(method, target).body(""))
        .gets(405, "UNSUPPORTED", NO_METHOD)
        .header("Allow", allow)
}

pub(super) fn rows() -> Vec<Row> {
    const MANIFEST: &str = "/v2/library/app/manifests/v1";
    const BLOB: &str = "/v2/library/app/blobs/{layer}";
    // Its 405 has no body.
    let bare = Peer::Differs(405, "");
    // It takes the empty rest of the path for an upload.
    let upload = Peer::Differs(404, "BLOB_UPLOAD_UNKNOWN");
    vec![
        row("a manifest is not posted", "POST", MANIFEST, "DELETE, GET, HEAD, PUT").peer(bare),
        row("a manifest is not patched", "PATCH", MANIFEST, "DELETE, GET, HEAD, PUT").peer(bare),
        row("a blob is not put without an upload", "PUT", BLOB, "DELETE, GET, HEAD").peer(bare),
        row("a blob is not posted", "POST", BLOB, "DELETE, GET, HEAD").peer(bare),
        row("uploads are not listed", "GET", "/v2/library/app/blobs/uploads/", "POST").peer(upload),
        row("uploads are not deleted together", "DELETE", "/v2/library/app/blobs/uploads/", "POST")
            .peer(upload),
        row("an upload is not posted to", "POST", "{upload}", "DELETE, GET, HEAD, PATCH, PUT")
            .peer(Peer::Differs(202, "")),
        row("tags are not put as a list", "PUT", "/v2/library/app/tags/list", "GET, HEAD")
            .peer(bare),
        row("tags are not deleted together", "DELETE", "/v2/library/app/tags/list", "GET, HEAD")
            .peer(bare),
        row("the catalog is not put", "PUT", "/v2/_catalog", "GET, HEAD").peer(bare),
        row("the version check takes nothing", "POST", "/v2/", "GET, HEAD")
            .peer(Peer::Differs(200, "")),
        row(
            "a method that does not exist is not there",
            "BREW",
            MANIFEST,
            "DELETE, GET, HEAD, PUT",
        )
        .peer(bare),
        // What it has no handler of methods for, it answers to all of them.
        row("nothing is traced", "TRACE", "/v2/", "GET, HEAD").peer(Peer::Differs(200, "")),
        row("a method in lower case is another one", "get", "/v2/", "GET, HEAD")
            .peer(Peer::Differs(200, "")),
    ]
}

pub(super) fn with_deletes_disabled() -> Vec<Row> {
    let row = |name, target: &str, allow| {
        Row::new(name, Request::new("DELETE", target))
            .gets(405, "UNSUPPORTED", DISABLED)
            .header("Allow", allow)
    };
    vec![
        row("no tag is deleted", "/v2/library/app/manifests/v1", "GET, HEAD, PUT"),
        row("no manifest is deleted", "/v2/library/app/manifests/{manifest}", "GET, HEAD, PUT"),
        row("no blob is deleted", "/v2/library/app/blobs/{layer}", "GET, HEAD"),
    ]
}

/// Fills a registry, makes it read-only, and tries every write; reads go on.
pub(super) fn check_read_only() {
    let registry = Registry::start();
    let mut client = registry.client();
    let image = Image::of("one");
    image.push(&mut client, "library/app", "v1");
    let upload = client.begin_upload("library/app");
    let settings = json!({ "storage": { "maintenance": { "readonly": { "enabled": true } } } });
    let registry = registry.restarted(&settings);
    let before = registry.tree();
    let mut client = registry.client();
    for (request, allow) in writes(&image, &upload) {
        let answer = client.ask(&request).expect(405);
        assert_eq!(answer.codes(), ["UNSUPPORTED"], "{request:?}");
        assert_eq!(answer.header("Allow"), allow, "{request:?}");
    }
    assert_eq!(registry.tree(), before, "{READ_ONLY}");
    let pulled = client.get("/v2/library/app/manifests/v1").expect(200);
    assert_eq!(pulled.body, image.manifest);
    client.get(&upload).expect(204);
}

fn writes(image: &Image, upload: &str) -> Vec<(Request, Option<&'static str>)> {
    let (manifest, layer) = (image.digest(), sha256(&image.layer));
    let with = |method, target: &str| Request::new(method, target).body("bytes");
    let put = |reference: &str| {
        let target = format!("/v2/library/app/manifests/{reference}");
        let request = Request::new("PUT", target).header("Content-Type", OCI_MANIFEST);
        request.body(image.manifest.clone())
    };
    let delete = |path: &str| Request::new("DELETE", format!("/v2/library/app/{path}"));
    let reads = Some("GET, HEAD");
    let single = format!("/v2/library/app/blobs/uploads/?digest={}", sha256(b"bytes"));
    let mount = format!("/v2/new/app/blobs/uploads/?mount={layer}&from=library/app");
    vec![
        (with("POST", "/v2/library/app/blobs/uploads/"), Some("")),
        (with("POST", &single), Some("")),
        (with("POST", &mount), Some("")),
        (with("PATCH", upload), reads),
        (with("PUT", &format!("{upload}&digest={}", sha256(b"bytes"))), reads),
        (with("DELETE", upload), reads),
        (put("v2"), reads),
        (put(&manifest.to_string()), reads),
        (delete("manifests/v1"), reads),
        (delete(&format!("manifests/{manifest}")), reads),
        (delete(&format!("blobs/{layer}")), reads),
    ]
}

#[test]
fn a_read_only_registry_says_so_to_options() {
    let settings = json!({ "storage": { "maintenance": { "readonly": { "enabled": true } } } });
    let registry = Registry::with(&settings);
    let answer = registry.client().ask(&Request::new("OPTIONS", "/v2/a/manifests/v1")).expect(200);
    assert_eq!(answer.header("Allow"), Some("GET, HEAD"), "{READ_ONLY}");
}
