//! What a push of schema 1 must satisfy before its payload is stored.
//!
//! That its layers are there, the content sees to. The name and the tag in the document need not be those
//! of the URL, as in Distribution since 2.4: images are copied with their signatures.

use bytes::Bytes;
use oci::{ErrorCode, Manifest, ManifestError, ManifestType, RepositoryName, Tag};

use super::{
    document::{Entry, Image, Payload},
    jws::{JwsError, PrettyJws},
};

/// As many as any manifest may refer to.
const LAYERS: usize = 4096;

/// How much of a client's text errors show.
const EXCERPT_CHARS: usize = 80;

/// A push that is right.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) manifest: Manifest,
    /// What is stored.
    pub(crate) payload: Bytes,
}

/// Why a push is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Signatures(#[from] JwsError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("the payload has `{0}`, which another reader would take for the manifest's own")]
    Ambiguous(&'static str),
    #[error("`name` in the manifest is `{0}`, which is no name of a repository")]
    Name(String),
    #[error("`tag` in the manifest is `{0}`, which is no tag")]
    Tag(String),
    #[error("manifest has {layers} `fsLayers` and {history} entries of `history`")]
    Lengths { layers: usize, history: usize },
    #[error("manifest has {0} layers, where {LAYERS} are the most")]
    TooMany(usize),
    #[error("entry {0} of `history` cannot be read as JSON")]
    Entry(usize),
    #[error("entry {0} of `history` has an `id` that is not 64 lower-case hex digits")]
    Id(usize),
    #[error("the `parent` of entry {0} of `history` is not the `id` of the next entry")]
    Chain(usize),
}

impl Refused {
    /// The code that says it best.
    pub(crate) const fn code(&self) -> ErrorCode {
        match self {
            Self::Signatures(JwsError::Wrong(_) | JwsError::Key(..) | JwsError::NoKey(_)) => {
                ErrorCode::ManifestUnverified
            }
            Self::Name(_) => ErrorCode::NameInvalid,
            Self::Tag(_) => ErrorCode::TagInvalid,
            Self::Signatures(_)
            | Self::Manifest(_)
            | Self::Ambiguous(_)
            | Self::Lengths { .. }
            | Self::TooMany(_)
            | Self::Entry(_)
            | Self::Id(_)
            | Self::Chain(_) => ErrorCode::ManifestInvalid,
        }
    }
}

/// Verifies a document that is pushed. Its length is the caller's to limit.
pub(crate) fn pushed(document: &[u8]) -> Result<Pushed, Refused> {
    let jws = PrettyJws::parse(document)?;
    let payload: Payload = serde_json::from_slice(&jws.payload)
        .map_err(|error| JwsError::Json(excerpt(&error.to_string())))?;
    check_kind(&payload)?;
    check_names(&payload)?;
    check_history(&payload)?;
    let mut manifest = Manifest::from_stored(&jws.payload)?;
    // What is stored has lost its signatures; what was pushed had them.
    manifest.kind = ManifestType::DockerSchema1Signed;
    jws.verify()?;
    Ok(Pushed { manifest, payload: Bytes::from(jws.payload) })
}

/// Checks that every reader takes the payload for what it is.
fn check_kind(payload: &Payload) -> Result<(), Refused> {
    let found = payload.schema_version.flatten();
    if found != Some(1) {
        return Err(ManifestError::SchemaVersion { found }.into());
    }
    let claimed = payload.media_type.clone().flatten().filter(|claimed| !claimed.is_empty());
    let is_own = |claimed: &String| {
        ManifestType::from_media_type(claimed).is_some_and(ManifestType::is_schema1)
    };
    let others = [
        ("mediaType", claimed.is_some_and(|claimed| !is_own(&claimed))),
        ("signatures", payload.signatures.is_some()),
        ("config", payload.config.flatten().is_some()),
        ("layers", payload.schema2_layers.flatten().is_some()),
        ("manifests", payload.manifests.flatten().is_some()),
    ];
    match others.into_iter().find(|(_, is_there)| *is_there) {
        Some((field, _)) => Err(Refused::Ambiguous(field)),
        None => Ok(()),
    }
}

fn check_names(payload: &Payload) -> Result<(), Refused> {
    let name = payload.name.as_ref().and_then(Option::as_deref).unwrap_or_default();
    let tag = payload.tag.as_ref().and_then(Option::as_deref).unwrap_or_default();
    // Docker's reference may begin with the registry's host.
    let path =
        name.split_once('/').filter(|(host, _)| is_host(host)).map_or(name, |(_, path)| path);
    if path.parse::<RepositoryName>().is_err() {
        return Err(Refused::Name(excerpt(name)));
    }
    if !tag.is_empty() && tag.parse::<Tag>().is_err() {
        return Err(Refused::Tag(excerpt(tag)));
    }
    Ok(())
}

fn is_host(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

/// Checks the chain as clients do: an entry's parent is the next one, or the entry says the same again.
///
/// An entry without an `id` makes no promise. The last one may have a parent: Windows' base layers do.
fn check_history(payload: &Payload) -> Result<(), Refused> {
    let entries = payload.history.as_ref().and_then(Option::as_deref).unwrap_or_default();
    let layers = payload.layers.as_ref().and_then(Option::as_deref).unwrap_or_default().len();
    if layers != entries.len() {
        return Err(Refused::Lengths { layers, history: entries.len() });
    }
    if layers > LAYERS {
        return Err(Refused::TooMany(layers));
    }
    let mut above: Option<Image> = None;
    for (index, entry) in entries.iter().enumerate() {
        let image = entry.image().ok_or(Refused::Entry(index + 1))?;
        match image.id() {
            Some(id) if !is_id(id) => return Err(Refused::Id(index + 1)),
            Some(id) => {
                let follows = |above: &Image| {
                    above.id().is_none_or(|own| own == id) || above.parent() == Some(id)
                };
                if above.as_ref().is_some_and(|above| !follows(above)) {
                    return Err(Refused::Chain(index));
                }
            }
            None => {}
        }
        above = Some(image);
    }
    Ok(())
}

impl Entry {
    /// What it says; nothing, if it is empty.
    fn image(&self) -> Option<Image> {
        match self.v1_compatibility.as_ref().and_then(Option::as_deref).unwrap_or_default() {
            "" => Some(Image::default()),
            text => serde_json::from_str(text).ok(),
        }
    }
}

impl Image {
    fn id(&self) -> Option<&str> {
        self.id.as_ref()?.as_deref().filter(|id| !id.is_empty())
    }

    fn parent(&self) -> Option<&str> {
        self.parent.as_ref()?.as_deref()
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS).flat_map(char::escape_debug).collect()
}
