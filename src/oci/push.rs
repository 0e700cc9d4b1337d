//! What a push must satisfy before its bytes become a manifest.
//!
//! Two things are protected. Every reader must see the same document, so an image has nothing of an
//! index and the other way round (CVE-2021-41190). And storage must stay Distribution's, which
//! keeps no media type beside the bytes: whatever is accepted here is told apart by
//! [`Manifest::sniff`](crate::Manifest::sniff) later, and can be read by Go's decoder.

use crate::{ManifestError, ManifestType, document::Document, text};

/// How deep Go's decoder reads.
const MAX_DEPTH: usize = 10_000;

/// Reads the request's `Content-Type`; an empty one says nothing.
pub(crate) fn declared(content_type: Option<&str>) -> Result<Option<ManifestType>, ManifestError> {
    let Some(text) = content_type.filter(|text| !text.is_empty()) else { return Ok(None) };
    let kind = ManifestType::from_media_type(text);
    kind.map(Some).ok_or_else(|| ManifestError::unknown_type(text))
}

/// Checks a document and tells its kind.
pub(crate) fn check(
    declared: Option<ManifestType>,
    document: &Document,
) -> Result<ManifestType, ManifestError> {
    let kind = agreed_type(declared, document.claimed())?;
    let found = document.schema_version.flatten();
    if found != Some(2) {
        return Err(ManifestError::SchemaVersion { found });
    }
    check_fields(kind, document)?;
    Ok(kind)
}

/// Refuses what Distribution could not read back. The bytes are known to be JSON.
pub(crate) fn check_depth(bytes: &[u8]) -> Result<(), ManifestError> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match (in_string, byte) {
            // What is escaped neither ends the string nor begins another escape.
            (true, b'\\') => drop(bytes.next()),
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(ManifestError::TooDeep { levels: MAX_DEPTH });
        }
    }
    Ok(())
}

/// The kind on which the request and the document agree.
fn agreed_type(
    declared: Option<ManifestType>,
    claimed: Option<&str>,
) -> Result<ManifestType, ManifestError> {
    let kind = match (declared, claimed) {
        (Some(declared), Some(claimed)) if declared.as_str() != claimed => {
            let claimed = text::excerpt(claimed);
            return Err(ManifestError::TypeMismatch { declared, claimed });
        }
        (Some(declared), None) if declared.needs_media_type() => {
            return Err(ManifestError::NoMediaType(declared));
        }
        (Some(declared), _) => declared,
        (None, Some(claimed)) => ManifestType::from_document(claimed)
            .ok_or_else(|| ManifestError::unknown_type(claimed))?,
        (None, None) => return Err(ManifestError::NoType),
    };
    if kind.is_schema1() {
        return Err(ManifestError::Schema1 { kind });
    }
    Ok(kind)
}

/// Checks that an image looks like an image and an index like an index, to every reader.
///
/// `null` for a list is an empty list, as Go programs write it, and makes nothing ambiguous. Only
/// an index that does not name its type needs a real list, having nothing else to be told by.
fn check_fields(kind: ManifestType, document: &Document) -> Result<(), ManifestError> {
    let manifests = has(&document.manifests).then_some("manifests");
    let config = has(&document.config).then_some("config");
    let image = config.or(has(&document.layers).then_some("layers"));
    if let (Some(_), Some(field)) = (manifests, image) {
        return Err(ManifestError::Ambiguous(field));
    }
    let (misplaced, missing) = if kind.is_index() {
        let listed = match document.claimed() {
            Some(_) => document.manifests.is_some(),
            None => manifests.is_some(),
        };
        (image, (!listed).then_some("manifests"))
    } else {
        let layers = document.layers.is_none().then_some("layers");
        (manifests, if config.is_none() { Some("config") } else { layers })
    };
    match (misplaced, missing) {
        (Some(field), _) => Err(ManifestError::Misplaced { kind, field }),
        (None, Some(field)) => Err(ManifestError::Missing { kind, field }),
        (None, None) => Ok(()),
    }
}

const fn has<T>(field: &Option<Option<T>>) -> bool {
    matches!(field, Some(Some(_)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        Manifest,
        samples::{descriptor, image, index, with},
    };

    const OCI: ManifestType = ManifestType::OciManifest;
    const INDEX: ManifestType = ManifestType::OciIndex;
    const DOCKER: ManifestType = ManifestType::DockerManifest;
    const LIST: ManifestType = ManifestType::DockerList;

    fn parse(kind: ManifestType, document: &Value) -> Result<Manifest, ManifestError> {
        Manifest::parse(Some(kind.as_str()), document.to_string().as_bytes())
    }

    fn refused(kind: ManifestType, document: &Value) -> String {
        parse(kind, document).unwrap_err().to_string()
    }

    #[test]
    fn distribution_takes_these_and_so_do_we() {
        let accepted = [
            (OCI, image()),
            (OCI, with(image(), json!({ "mediaType": OCI.as_str() }))),
            (OCI, with(image(), json!({ "mediaType": null }))),
            (OCI, with(image(), json!({ "layers": [] }))),
            (OCI, with(image(), json!({ "layers": null }))),
            (OCI, with(image(), json!({ "manifests": null, "annotations": null }))),
            (OCI, with(image(), json!({ "fsLayers": [], "history": [] }))),
            (DOCKER, with(image(), json!({ "mediaType": DOCKER.as_str() }))),
            (INDEX, index()),
            (INDEX, with(index(), json!({ "manifests": [] }))),
            (INDEX, with(index(), json!({ "layers": null, "config": null }))),
            (INDEX, with(index(), json!({ "mediaType": INDEX.as_str(), "manifests": null }))),
            (LIST, with(index(), json!({ "mediaType": LIST.as_str() }))),
        ];
        for (kind, document) in accepted {
            let parsed = parse(kind, &document).map(|manifest| manifest.kind);
            assert_eq!(parsed, Ok(kind), "{document}");
            assert_eq!(Manifest::sniff(document.to_string().as_bytes()), Ok(kind), "{document}");
        }
    }

    #[test]
    fn an_image_needs_config_and_layers_and_an_index_manifests() {
        let lacks = |kind, document, field| {
            let missing = ManifestError::Missing { kind, field };
            assert_eq!(parse(kind, &document), Err(missing), "{document}");
        };
        lacks(OCI, with(image(), json!({ "config": "-" })), "config");
        lacks(OCI, with(image(), json!({ "config": null })), "config");
        lacks(OCI, with(image(), json!({ "layers": "-" })), "layers");
        lacks(INDEX, json!({ "schemaVersion": 2 }), "manifests");
        lacks(INDEX, json!({ "schemaVersion": 2, "manifests": null }), "manifests");
    }

    #[test]
    fn what_could_be_an_image_and_an_index_is_refused() {
        let ambiguous = |kind, document, field| {
            assert_eq!(parse(kind, &document), Err(ManifestError::Ambiguous(field)), "{document}");
        };
        ambiguous(OCI, with(image(), json!({ "manifests": [] })), "config");
        ambiguous(OCI, with(image(), json!({ "MANIFESTS": [] })), "config");
        ambiguous(INDEX, with(index(), json!({ "layers": [] })), "layers");
        ambiguous(INDEX, with(index(), json!({ "config": descriptor("{}") })), "config");
        let misplaced = |kind, field| Err(ManifestError::Misplaced { kind, field });
        assert_eq!(parse(OCI, &index()), misplaced(OCI, "manifests"));
        assert_eq!(parse(INDEX, &image()), misplaced(INDEX, "config"));
    }

    #[test]
    fn request_and_document_must_name_the_same_type() {
        let docker = with(image(), json!({ "mediaType": DOCKER.as_str() }));
        let mismatch =
            ManifestError::TypeMismatch { declared: OCI, claimed: DOCKER.as_str().into() };
        assert_eq!(parse(OCI, &docker), Err(mismatch));
        assert_eq!(parse(DOCKER, &image()), Err(ManifestError::NoMediaType(DOCKER)));
        assert_eq!(parse(LIST, &index()), Err(ManifestError::NoMediaType(LIST)));
        let upper = with(image(), json!({ "mediaType": OCI.as_str().to_uppercase() }));
        assert!(matches!(parse(OCI, &upper), Err(ManifestError::TypeMismatch { .. })));
    }

    #[test]
    fn without_a_content_type_the_document_decides() {
        let untyped = |document: &Value| Manifest::parse(None, document.to_string().as_bytes());
        let docker = with(image(), json!({ "mediaType": DOCKER.as_str() }));
        assert_eq!(untyped(&docker).unwrap().kind, DOCKER);
        assert_eq!(untyped(&image()), Err(ManifestError::NoType));
        assert_eq!(Manifest::parse(Some(""), b"{}"), Err(ManifestError::NoType));
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let all = "use one of `application/vnd.oci.image.manifest.v1+json`, \
                   `application/vnd.oci.image.index.v1+json`, \
                   `application/vnd.docker.distribution.manifest.v2+json`, \
                   `application/vnd.docker.distribution.manifest.list.v2+json`";
        let error = Manifest::parse(Some("text/plain"), b"{}").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("manifest type `text/plain` is not supported: {all}")
        );
        let schema1 = ManifestType::DockerSchema1Signed;
        let message =
            format!("manifest type `{schema1}` (Docker schema 1) is not supported: {all}");
        assert_eq!(refused(schema1, &json!({ "schemaVersion": 1 })), message);
        let old = with(image(), json!({ "schemaVersion": 1 }));
        assert_eq!(refused(OCI, &old), "manifest has `schemaVersion` 1: it must be 2");
        let none = with(image(), json!({ "schemaVersion": "-" }));
        assert_eq!(refused(OCI, &none), "manifest has no `schemaVersion`: it must be 2");
    }

    #[test]
    fn a_wrong_field_is_named_with_its_place() {
        let layers = |layer| with(image(), json!({ "layers": [layer] }));
        let digest = refused(OCI, &layers(json!({ "digest": "sha1:ab" })));
        let allowed = "digest algorithm `sha1` is not supported: use `sha256` or `sha512`";
        let path = "manifest cannot be read: `layers`: `digest`: ";
        assert!(digest.starts_with(&format!("{path}{allowed} at line 1 column ")), "{digest}");
        for document in [layers(Value::Null), layers(json!({})), layers(json!({ "size": -1 }))] {
            let error = refused(OCI, &document);
            assert!(error.starts_with("manifest cannot be read: `layers`: "), "{error}");
        }
        let long = refused(OCI, &with(image(), json!({ "config": "x".repeat(9_999) })));
        assert!(long.len() < 400, "{long}");
    }

    #[test]
    fn what_is_no_single_object_is_refused() {
        let twice = format!("{} {}", image(), image());
        for text in ["", "x", "null", "[]", "1", "{", "\u{feff}{}", twice.as_str()] {
            let parsed = Manifest::parse(Some(OCI.as_str()), text.as_bytes());
            assert!(matches!(parsed, Err(ManifestError::Json(_))), "{text}: {parsed:?}");
        }
    }

    #[test]
    fn depth_ends_where_go_s_decoder_ends() {
        let nested = |levels: usize| {
            let deep = format!("{}{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
            let document = with(image(), json!({ "other": "[\\\"[" })).to_string();
            let document = document.replacen('{', &format!("{{\"deep\":{deep},"), 1);
            Manifest::parse(Some(OCI.as_str()), document.as_bytes()).map(|manifest| manifest.kind)
        };
        assert_eq!(nested(MAX_DEPTH), Ok(OCI));
        assert_eq!(nested(MAX_DEPTH + 1), Err(ManifestError::TooDeep { levels: MAX_DEPTH }));
    }
}
