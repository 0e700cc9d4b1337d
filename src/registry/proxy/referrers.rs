//! Referrers: what the other registry lists, by its API or under the tag that stands in for it.

use bytes::Bytes;
use oci::{Algorithm, Digest, ManifestError, Reference, Referrers, RepositoryName, Tag};
use tokio::sync::SemaphorePermit;

use super::{Error, Kept, Manifest, Proxy, Wanted};
use crate::content;
use crate::log::Causes as _;

/// A list of referrers.
#[derive(Debug)]
pub(crate) struct Listed<'a> {
    /// None: the tag is something else than an index.
    pub(crate) referrers: Option<Referrers>,
    /// Whether there may be others by now.
    pub(crate) is_stale: bool,
    /// Read, a list takes many times its bytes.
    _permit: SemaphorePermit<'a>,
}

impl Proxy {
    /// The referrers of a manifest as they are there now; those here when they cannot be had.
    ///
    /// What the API says is kept under the tag, where this registry and others look for it.
    pub(crate) async fn referrers(
        &self,
        name: &RepositoryName,
        subject: &Digest,
    ) -> Result<Listed<'_>, Error> {
        let tag = Tag::of_referrers(subject);
        let refused = match self.upstream.referrers(name, subject).await {
            Ok(None) => return self.tagged_referrers(name, &tag).await,
            Ok(Some(pages)) => {
                let permit = self.content.permit_list().await;
                let found = read(&pages)?;
                if !found.by_digest().is_empty() {
                    self.keep_referrers(name, &tag, &found).await;
                    return Ok(Listed { referrers: Some(found), is_stale: false, _permit: permit });
                }
                drop(permit);
                // A registry with this API need not know of lists that clients have written.
                return self.tagged_referrers(name, &tag).await;
            }
            Err(error) => error,
        };
        match refused {
            // Whoever guards that registry may know no such path.
            Error::Denied(_) => match self.tagged_referrers(name, &tag).await {
                Ok(listed) if listed.has_any() => Ok(listed),
                _ => Err(refused),
            },
            error if error.is_upstreams() => {
                let kept = self.content.manifest(name, &Reference::Tag(tag)).await;
                let Ok(kept) = kept else { return Err(error) };
                tracing::warn!(repository = %name, %subject, error = error.causes(), "referrers are listed as they were");
                Ok(self.listed(&kept.bytes, true).await)
            }
            error => Err(error),
        }
    }

    async fn tagged_referrers(
        &self,
        name: &RepositoryName,
        tag: &Tag,
    ) -> Result<Listed<'_>, Error> {
        match self.manifest(name, &tag.clone().into(), Wanted::Content).await {
            Ok(Manifest::Kept(Kept { manifest, is_stale })) => {
                Ok(self.listed(&manifest.bytes, is_stale).await)
            }
            Ok(Manifest::Described(_))
            | Err(Error::Content(content::Error::ManifestUnknown(_))) => {
                let permit = self.content.permit_list().await;
                let referrers = Some(Referrers::default());
                Ok(Listed { referrers, is_stale: false, _permit: permit })
            }
            Err(error) => Err(error),
        }
    }

    async fn listed(&self, index: &Bytes, is_stale: bool) -> Listed<'_> {
        let permit = self.content.permit_list().await;
        Listed { referrers: content::read_referrers(index), is_stale, _permit: permit }
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

impl Listed<'_> {
    fn has_any(&self) -> bool {
        self.referrers.as_ref().is_some_and(|found| !found.by_digest().is_empty())
    }
}

/// The list that comes in these pages.
fn read(pages: &[Bytes]) -> Result<Referrers, ManifestError> {
    let mut all = Referrers::default();
    for page in pages {
        all.append(Referrers::from_stored(page)?);
    }
    Ok(all)
}
