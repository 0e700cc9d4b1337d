//! Docker's schema 1 over HTTP: what is pushed is verified, what is served is signed, and clients that know no other get it.
//!
//! A client is old if its `Accept` names none of the newer types; those of 2014 send none at all.

use bytes::Bytes;
use http::{HeaderMap, header::ACCEPT};
use oci::{Algorithm, Digest, ErrorCode, Manifest, ManifestType, RepositoryName, Tag};
use tokio::task::spawn_blocking;

use super::{Call, failure::Failure, negotiation::of_common_platform};
use crate::{
    content::{Error, StoredManifest},
    schema1::{self, Converted, EMPTY_LAYER, Pushed},
};

/// Larger configurations than any image has are not converted.
const CONFIG_BYTES: usize = 1024 * 1024;

/// What a client reads, by its `Accept`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Reads {
    images: bool,
    lists: bool,
}

impl Reads {
    fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let named = values.flat_map(|value| value.split(','));
        let mut reads = Self { images: false, lists: false };
        for kind in named.filter_map(ManifestType::from_media_type) {
            reads.images |= !kind.is_schema1() && kind != ManifestType::DockerList;
            reads.lists |= kind.is_index();
        }
        reads
    }
}

impl Call<'_> {
    /// Verifies a push of schema 1; none, if it is one of another kind.
    pub(super) async fn pushed_schema1(
        &self,
        declared: Option<&str>,
        document: &Bytes,
    ) -> Result<Option<Pushed>, Failure> {
        if !is_schema1(declared, document) {
            return Ok(None);
        }
        if !self.settings.schema1 {
            let accepted = ManifestType::ACCEPTED.map(|kind| format!("`{kind}`")).join(", ");
            let reason = format!(
                "Docker's schema 1 is disabled (compatibility.schema1.enabled): use one of {accepted}"
            );
            return Err(Failure::new(ErrorCode::ManifestInvalid).because(reason));
        }
        // Signatures of some megabytes are worth a thread.
        let document = document.clone();
        let verified = spawn_blocking(move || schema1::pushed(&document)).await;
        match verified.map_err(|_| Error::Panicked)? {
            Ok(pushed) => Ok(Some(pushed)),
            Err(refused) => Err(Failure::new(refused.code()).because(refused)),
        }
    }

    /// The document as it is sent: schema 1 is stored without signatures.
    pub(super) fn signed(&self, stored: &StoredManifest) -> Result<Bytes, Failure> {
        let key = self.api.signing_key.get().ok();
        let signed = key.and_then(|key| schema1::sign(&stored.bytes, key)).map(Bytes::from);
        signed.ok_or_else(|| {
            tracing::error!(digest = %stored.digest, "stored manifest of schema 1 cannot be signed");
            Failure::new(ErrorCode::Unknown)
        })
    }

    /// Whether something is newer than what this client knows, and is made older for it.
    pub(super) fn is_too_new(&self, kind: ManifestType) -> bool {
        let reads = Reads::of(&self.parts.headers);
        let is_older_known = self.settings.schema1 && !reads.images;
        is_older_known
            && match kind {
                ManifestType::DockerManifest => true,
                ManifestType::DockerList => !reads.lists,
                _ => false,
            }
    }

    /// What a client that knows schema 1 alone can read of an image or a list; none, if it knows more, or there is
    /// nothing.
    pub(super) async fn for_old_client(
        &self,
        name: &RepositoryName,
        tag: &Tag,
        kind: ManifestType,
        found: &StoredManifest,
    ) -> Result<Option<StoredManifest>, Failure> {
        if !self.is_too_new(kind) {
            return Ok(None);
        }
        match kind {
            ManifestType::DockerManifest => self.in_schema1(name, tag, found).await,
            ManifestType::DockerList => {
                let Some(child) = of_common_platform(&found.bytes) else { return Ok(None) };
                let Some(child) = self.manifest_if_there(name, child).await? else {
                    return Ok(None);
                };
                self.in_schema1(name, tag, &child).await
            }
            _ => Ok(None),
        }
    }

    /// Makes schema 1 of an image; none, if it has no such form: clients that cannot read it say so themselves.
    async fn in_schema1(
        &self,
        name: &RepositoryName,
        tag: &Tag,
        stored: &StoredManifest,
    ) -> Result<Option<StoredManifest>, Failure> {
        let digest = stored.digest;
        let kept = |reason: &dyn std::fmt::Display| {
            tracing::info!(%name, %tag, %digest, %reason, "manifest is not rewritten in schema 1");
        };
        let image = Manifest::from_stored(&stored.bytes).map_err(Error::from)?;
        let config = match &image.config {
            Some(config) if image.kind == ManifestType::DockerManifest => {
                self.find_small_blob(name, &config.digest, CONFIG_BYTES).await?
            }
            _ => None,
        };
        let Some(config) = config else {
            kept(&"its configuration is not there, or larger than 1 MiB");
            return Ok(None);
        };
        let (repository, of_tag) = (name.clone(), tag.clone());
        let convert = move || schema1::convert(&repository, &of_tag, &image.layers, &config);
        let converted = match spawn_blocking(convert).await.map_err(|_| Error::Panicked)? {
            Ok(converted) => converted,
            Err(reason) => {
                kept(&reason);
                return Ok(None);
            }
        };
        if converted.has_empty_layer && !self.provide_empty_layer(name).await? {
            kept(&"its empty layers cannot be stored while the registry is read-only");
            return Ok(None);
        }
        let Converted { payload, .. } = converted;
        let digest = Digest::of(Algorithm::Sha256, &payload);
        Ok(Some(StoredManifest { digest, bytes: Bytes::from(payload) }))
    }

    /// Sees to it that the repository has the layer without files, which images of schema 2 do without.
    async fn provide_empty_layer(&self, name: &RepositoryName) -> Result<bool, Failure> {
        let digest = Digest::of(Algorithm::Sha256, &EMPTY_LAYER);
        let content = &self.api.content;
        match content.blob(name, &digest).await {
            Ok(_) => return Ok(true),
            Err(Error::BlobUnknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let Some(writing) = content.begin_write() else { return Ok(false) };
        writing.put_blob(name, &digest, Bytes::from_static(&EMPTY_LAYER)).await?;
        Ok(true)
    }
}

/// Whether a push is meant as schema 1, whose clients seldom named its type.
fn is_schema1(declared: Option<&str>, document: &[u8]) -> bool {
    let declared = declared.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if declared.is_empty() || declared.eq_ignore_ascii_case("application/json") {
        return Manifest::sniff(document).is_ok_and(ManifestType::is_schema1);
    }
    ManifestType::from_media_type(declared).is_some_and(ManifestType::is_schema1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA2: &str = "application/vnd.docker.distribution.manifest.v2+json";
    const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

    fn reads(values: &[&str]) -> (bool, bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        let Reads { images, lists } = Reads::of(&headers);
        (images, lists)
    }

    #[test]
    fn a_client_reads_what_it_names() {
        let oci = "application/vnd.oci.image.manifest.v1+json";
        assert_eq!(reads(&[]), (false, false));
        assert_eq!(reads(&["*/*"]), (false, false));
        assert_eq!(reads(&[SCHEMA1]), (false, false));
        assert_eq!(reads(&[SCHEMA2]), (true, false));
        assert_eq!(reads(&[LIST]), (false, true));
        assert_eq!(reads(&[oci]), (true, false));
        assert_eq!(reads(&["application/vnd.oci.image.index.v1+json"]), (true, true));
        assert_eq!(reads(&["text/plain", &format!(" {LIST};q=0.5 ,{SCHEMA2}")]), (true, true));
    }

    #[test]
    fn schema_1_is_told_by_its_type_or_without_one_by_its_version() {
        let (one, two) = (br#"{"schemaVersion": 1}"#, br#"{"schemaVersion": 2}"#);
        for declared in [None, Some(""), Some("application/json; charset=utf-8")] {
            assert!(is_schema1(declared, one), "{declared:?}");
            assert!(!is_schema1(declared, two), "{declared:?}");
        }
        assert!(is_schema1(Some(SCHEMA1), b"?"));
        assert!(!is_schema1(Some(SCHEMA2), one));
        assert!(!is_schema1(Some("text/plain"), one));
    }
}
