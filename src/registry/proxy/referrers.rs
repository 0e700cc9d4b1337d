//! Referrers: what the other registry lists, by its API or under the tag that stands in for it.

use oci::{Algorithm, Digest, Reference, Referrers, RepositoryName, Tag};

use super::{Error, Kept, Manifest, Proxy, Wanted};
use crate::content;

/// A list of referrers.
#[derive(Debug)]
pub(crate) struct Listed {
    /// None: the tag is something else than an index.
    pub(crate) referrers: Option<Referrers>,
    /// Whether there may be others by now.
    pub(crate) is_stale: bool,
}

impl Proxy {
    /// The referrers of a manifest as they are there now; those here when they cannot be had.
    ///
    /// What the API says is kept under the tag, where this registry and others look for it.
    pub(crate) async fn referrers(
        &self,
        name: &RepositoryName,
        subject: &Digest,
    ) -> Result<Listed, Error> {
        let tag = Tag::of_referrers(subject);
        match self.upstream.referrers(name, subject).await {
            // A registry with this API need not know of lists that clients have written.
            Ok(None) => self.tagged_referrers(name, &tag).await,
            Ok(Some(found)) if found.by_digest().is_empty() => {
                self.tagged_referrers(name, &tag).await
            }
            Ok(Some(found)) => {
                self.keep_referrers(name, &tag, &found).await;
                Ok(Listed { referrers: Some(found), is_stale: false })
            }
            Err(error) if error.is_upstreams() => {
                let kept = self.content.manifest(name, &Reference::Tag(tag)).await;
                let Ok(kept) = kept else { return Err(error) };
                tracing::warn!(repository = %name, %subject, %error, "referrers are listed as they were");
                Ok(Listed { referrers: content::read_referrers(&kept.bytes), is_stale: true })
            }
            Err(error) => Err(error),
        }
    }

    async fn tagged_referrers(&self, name: &RepositoryName, tag: &Tag) -> Result<Listed, Error> {
        match self.manifest(name, &tag.clone().into(), Wanted::Content).await {
            Ok(Manifest::Kept(Kept { manifest, is_stale })) => {
                Ok(Listed { referrers: content::read_referrers(&manifest.bytes), is_stale })
            }
            Ok(Manifest::Described(_))
            | Err(Error::Content(content::Error::ManifestUnknown(_))) => {
                Ok(Listed { referrers: Some(Referrers::default()), is_stale: false })
            }
            Err(error) => Err(error),
        }
    }

    async fn keep_referrers(&self, name: &RepositoryName, tag: &Tag, found: &Referrers) {
        let bytes = found.to_bytes();
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        if !matches!(self.content.tag(name, tag).await, Ok(points_to) if points_to == Some(digest))
        {
            self.keep(name, Some(tag), digest, bytes.into()).await;
        }
    }
}
