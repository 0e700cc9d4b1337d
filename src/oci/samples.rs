//! Documents to try manifests with.

use serde_json::{Value, json};

use crate::{Algorithm, Digest};

pub(crate) fn descriptor(content: &str) -> Value {
    let digest = Digest::of(Algorithm::Sha256, content.as_bytes());
    json!({ "mediaType": "text/plain", "digest": digest, "size": content.len() })
}

pub(crate) fn image() -> Value {
    json!({ "schemaVersion": 2, "config": descriptor("{}"), "layers": [descriptor("a")] })
}

pub(crate) fn index() -> Value {
    json!({ "schemaVersion": 2, "manifests": [descriptor("a"), descriptor("b")] })
}

/// The document with fields set, or removed where the value is `"-"`.
pub(crate) fn with(mut document: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        if value == "-" {
            document.as_object_mut().unwrap().remove(key);
        } else {
            document[key] = value.clone();
        }
    }
    document
}
