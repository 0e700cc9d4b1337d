//! Where an object lives: the only place that spells Docker Distribution's paths.
//!
//! A [`Key`] names one object, a [`Folder`] what objects have in common. Both are built from checked
//! types (a digest, a repository name, a tag, an upload id), so a path can neither be misspelled nor
//! leave the store. The layout is Distribution's, unchanged since 2.0.

use std::{fmt, str::FromStr};

use oci::{Algorithm, Digest, RepositoryName, Tag};
use uuid::Uuid;

/// Everything that Distribution reads and writes stands under this folder.
const ROOT: &str = "docker/registry/v2";

/// The name of one object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Key<'a> {
    /// The bytes of a blob: a layer, a configuration or a manifest.
    Blob(&'a Digest),
    /// States that a repository may serve a blob.
    LayerLink(&'a RepositoryName, &'a Digest),
    /// States that a repository holds a manifest.
    RevisionLink(&'a RepositoryName, &'a Digest),
    /// What a tag points to now.
    TagLink(&'a RepositoryName, &'a Tag),
    /// States that a tag has pointed to a manifest at some time.
    TagIndexLink(&'a RepositoryName, &'a Tag, &'a Digest),
    /// The bytes that an upload session has received.
    UploadData(&'a RepositoryName, &'a UploadId),
    /// When an upload session began: RFC 3339, UTC, whole seconds.
    UploadStartedAt(&'a RepositoryName, &'a UploadId),
    /// How far an upload session has got whose bytes cannot be read again, and the last of them.
    UploadTail(&'a RepositoryName, &'a UploadId),
    /// The state of an upload session's hash after so many bytes, as Go saves it.
    UploadHash(&'a RepositoryName, &'a UploadId, Algorithm, u64),
    /// What a proxy has fetched, and until when it is kept: the one object that stands elsewhere.
    Fetched,
    /// Says that a registry of GitLab's keeps its metadata in a database: then links are not the truth.
    DatabaseInUse,
}

/// What the names of several objects begin with: a folder on a filesystem, a prefix elsewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Folder<'a> {
    /// All repositories; its children are first path components.
    Repositories,
    /// A path component of repository names, or a repository: `_layers` and `_manifests` tell.
    Repository(&'a RepositoryName),
    /// The links to a repository's blobs.
    Layers(&'a RepositoryName),
    /// The links to a repository's blobs of one algorithm.
    LayersOf(&'a RepositoryName, Algorithm),
    /// A repository's manifests and tags.
    Manifests(&'a RepositoryName),
    /// The links to a repository's manifests of one algorithm.
    RevisionsOf(&'a RepositoryName, Algorithm),
    /// A repository's tags.
    Tags(&'a RepositoryName),
    /// One tag: its link and its history.
    Tag(&'a RepositoryName, &'a Tag),
    /// A repository's open upload sessions.
    Uploads(&'a RepositoryName),
    /// One upload session.
    Upload(&'a RepositoryName, &'a UploadId),
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob(digest) => {
                let hex = digest.to_hex();
                write!(f, "{ROOT}/blobs/{}/{}/{hex}/data", digest.algorithm(), &hex[..2])
            }
            Self::LayerLink(name, digest) => {
                write!(f, "{}/{}/link", Folder::LayersOf(name, digest.algorithm()), digest.to_hex())
            }
            Self::RevisionLink(name, digest) => {
                let folder = Folder::RevisionsOf(name, digest.algorithm());
                write!(f, "{folder}/{}/link", digest.to_hex())
            }
            Self::TagLink(name, tag) => write!(f, "{}/current/link", Folder::Tag(name, tag)),
            Self::TagIndexLink(name, tag, digest) => {
                let folder = Folder::Tag(name, tag);
                write!(f, "{folder}/index/{}/{}/link", digest.algorithm(), digest.to_hex())
            }
            Self::UploadData(name, id) => write!(f, "{}/data", Folder::Upload(name, id)),
            Self::UploadStartedAt(name, id) => write!(f, "{}/startedat", Folder::Upload(name, id)),
            Self::UploadTail(name, id) => write!(f, "{}/tail", Folder::Upload(name, id)),
            Self::UploadHash(name, id, algorithm, offset) => {
                write!(f, "{}/hashstates/{algorithm}/{offset}", Folder::Upload(name, id))
            }
            Self::Fetched => f.write_str("scheduler-state.json"),
            Self::DatabaseInUse => f.write_str("docker/registry/lockfiles/database-in-use"),
        }
    }
}

impl fmt::Display for Folder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repositories => write!(f, "{ROOT}/repositories"),
            Self::Repository(name) => write!(f, "{}/{name}", Self::Repositories),
            Self::Layers(name) => write!(f, "{}/_layers", Self::Repository(name)),
            Self::LayersOf(name, algorithm) => write!(f, "{}/{algorithm}", Self::Layers(name)),
            Self::Manifests(name) => write!(f, "{}/_manifests", Self::Repository(name)),
            Self::RevisionsOf(name, algorithm) => {
                write!(f, "{}/revisions/{algorithm}", Self::Manifests(name))
            }
            Self::Tags(name) => write!(f, "{}/tags", Self::Manifests(name)),
            Self::Tag(name, tag) => write!(f, "{}/{tag}", Self::Tags(name)),
            Self::Uploads(name) => write!(f, "{}/_uploads", Self::Repository(name)),
            Self::Upload(name, id) => write!(f, "{}/{id}", Self::Uploads(name)),
        }
    }
}

/// The name of an upload session: a UUID in its usual form of 36 characters.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct UploadId(Uuid);

impl UploadId {
    /// A new random one (UUID version 4): nobody guesses another client's session.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hyphenated(), f)
    }
}

/// A text that is no [`UploadId`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in lower case")]
pub struct UploadIdError;

impl FromStr for UploadId {
    type Err = UploadIdError;

    fn from_str(text: &str) -> Result<Self, UploadIdError> {
        let id = Uuid::try_parse(text).map(Self).map_err(|_| UploadIdError)?;
        // A UUID has several spellings, a folder only one name.
        if id.to_string() == text { Ok(id) } else { Err(UploadIdError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_distribution() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let name: RepositoryName = "group/app".parse().unwrap();
        let tag: Tag = "v1".parse().unwrap();
        let id: UploadId = "0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5".parse().unwrap();
        let repository = "docker/registry/v2/repositories/group/app";
        let rows = [
            (Key::Blob(&digest), format!("docker/registry/v2/blobs/sha256/e3/{hex}/data")),
            (Key::LayerLink(&name, &digest), format!("{repository}/_layers/sha256/{hex}/link")),
            (
                Key::RevisionLink(&name, &digest),
                format!("{repository}/_manifests/revisions/sha256/{hex}/link"),
            ),
            (Key::TagLink(&name, &tag), format!("{repository}/_manifests/tags/v1/current/link")),
            (
                Key::TagIndexLink(&name, &tag, &digest),
                format!("{repository}/_manifests/tags/v1/index/sha256/{hex}/link"),
            ),
            (Key::UploadData(&name, &id), format!("{repository}/_uploads/{id}/data")),
            (Key::UploadStartedAt(&name, &id), format!("{repository}/_uploads/{id}/startedat")),
            (Key::UploadTail(&name, &id), format!("{repository}/_uploads/{id}/tail")),
            (
                Key::UploadHash(&name, &id, Algorithm::Sha256, 42),
                format!("{repository}/_uploads/{id}/hashstates/sha256/42"),
            ),
            (Key::Fetched, "scheduler-state.json".to_owned()),
            (Key::DatabaseInUse, "docker/registry/lockfiles/database-in-use".to_owned()),
        ];
        for (key, path) in rows {
            assert_eq!(key.to_string(), path);
        }
    }

    #[test]
    fn an_upload_id_has_one_spelling() {
        for bad in [
            "",
            "x",
            "../../etc",
            "0F6FF9CA-7D3C-4B0E-B2D3-2B64C0B3C1A5",
            "0f6ff9ca7d3c4b0eb2d32b64c0b3c1a5",
        ] {
            assert_eq!(bad.parse::<UploadId>(), Err(UploadIdError), "{bad}");
        }
        let id = UploadId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
