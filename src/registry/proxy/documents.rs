//! What the other registry has that is small: manifests, tags, lists of referrers.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{
    StatusCode,
    header::{CONTENT_TYPE, LINK},
};
use oci::{Algorithm, Digest, Manifest, ManifestType, Reference, RepositoryName, Tag};
use reqwest::{Response, Url};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::{
    error::Error,
    read::bounded,
    upstream::{Asking, Described, Upstream},
};
use crate::{metrics::Kept, schema1};

/// As much as this registry takes itself.
const MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// A page of tags, and how many pages are followed: more than any repository has.
const TAGS_BYTES: usize = 8 * 1024 * 1024;
const TAGS_PAGES: usize = 200;

/// How many pages of referrers are followed; what they list has to fit into one manifest.
const REFERRERS_PAGES: usize = 100;

#[derive(Deserialize)]
struct TagPage {
    tags: Option<Vec<String>>,
}

impl Upstream {
    /// Asks what a manifest is now. A registry that takes no such question says nothing of it.
    pub(super) async fn describe_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<Described, Error> {
        self.silence.check(name)?;
        let path = format!("{name}/manifests/{reference}");
        match self.ask(name, &path, &Asking::head()).await {
            Ok(response) => {
                let said = Described::of(response.headers());
                said.media_type.map_or(Ok(()), |kind| self.check_kind(kind))?;
                Ok(said)
            }
            Err(Error::Status(StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)) => {
                Ok(Described::default())
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches a manifest, which has the digest asked for, and is one.
    pub(super) async fn manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(Digest, Bytes), Error> {
        // Whoever had to wait for another who asked in vain need not ask in vain too.
        self.silence.check(name)?;
        self.pulls.missed(Kept::Manifest);
        let path = format!("{name}/manifests/{reference}");
        let response = self.ask(name, &path, &Asking::small()).await?;
        let said = Described::of(response.headers());
        let kind = said.media_type;
        let kind = kind.ok_or(Error::Unusable("its Content-Type is no manifest's"))?;
        self.check_kind(kind)?;
        let mut bytes = bounded(response, MANIFEST_BYTES).await?;
        self.pulls.pulled(Kept::Manifest, bytes.len() as u64);
        if kind.is_schema1() {
            bytes = payload(bytes).await?;
        } else {
            Manifest::from_stored(&bytes)?;
        }
        let asked = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(_) => said.digest,
        };
        let algorithm = asked.map_or(Algorithm::Sha256, |digest| digest.algorithm());
        let actual = Digest::of(algorithm, &bytes);
        match asked {
            Some(asked) if asked != actual => Err(Error::other_content(&asked, &actual)),
            _ => Ok((actual, bytes)),
        }
    }

    fn check_kind(&self, kind: ManifestType) -> Result<(), Error> {
        if kind.is_schema1() && !self.takes_schema1() {
            return Err(Error::Unusable(
                "it is a manifest of Docker's schema 1, and compatibility.schema1.enabled is not set",
            ));
        }
        Ok(())
    }

    /// All tags, sorted by their bytes.
    pub(super) async fn tags(&self, name: &RepositoryName) -> Result<Vec<Tag>, Error> {
        self.silence.check(name)?;
        let mut tags = BTreeSet::new();
        let mut next = self.url(&format!("{name}/tags/list"))?;
        for _ in 0..TAGS_PAGES {
            let response = self.ask_at(name, next.clone(), &Asking::small()).await?;
            let following = self.following(&response, &next);
            let page: TagPage = serde_json::from_slice(&bounded(response, TAGS_BYTES).await?)
                .map_err(|_| Error::Unusable("it is no list of tags"))?;
            tags.extend(page.tags.unwrap_or_default().iter().filter_map(|tag| tag.parse().ok()));
            match following {
                Some(following) => next = following,
                None => return Ok(tags.into_iter().collect()),
            }
        }
        Err(Error::Unusable("it has more pages of tags than anybody reads"))
    }

    /// All referrers of a manifest, in the pages that they come in; none where there is no such API.
    pub(super) async fn referrers(
        &self,
        name: &RepositoryName,
        subject: &Digest,
    ) -> Result<Option<Vec<Bytes>>, Error> {
        self.silence.check(name)?;
        let mut pages = Vec::new();
        let mut bytes_left = MANIFEST_BYTES;
        let mut next = self.url(&format!("{name}/referrers/{subject}"))?;
        for _ in 0..REFERRERS_PAGES {
            let response = match self.ask_at(name, next.clone(), &Asking::small()).await {
                Ok(response) => response,
                Err(error) if pages.is_empty() && is_unknown(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            let kind = Described::of(response.headers()).media_type;
            if pages.is_empty() && kind != Some(ManifestType::OciIndex) {
                // A page for people, or of whatever stands before it.
                tracing::debug!(repository = %name, content_type = ?response.headers().get(CONTENT_TYPE), "there is no API for referrers");
                return Ok(None);
            }
            let following = self.following(&response, &next);
            let bytes = bounded(response, bytes_left).await?;
            bytes_left -= bytes.len();
            pages.push(bytes);
            match following {
                Some(following) => next = following,
                None => return Ok(Some(pages)),
            }
        }
        Err(Error::Unusable("it has more pages of referrers than anybody reads"))
    }

    /// Where a list goes on. Another host is not asked.
    fn following(&self, response: &Response, current: &Url) -> Option<Url> {
        let link = response.headers().get(LINK).and_then(|value| value.to_str().ok());
        let following = link.and_then(next_page).and_then(|page| current.join(page).ok());
        following.filter(|following| following.origin() == self.base.origin())
    }
}

/// Whether a registry knows nothing of what was asked: 404 of a path that is none, or the like.
fn is_unknown(error: &Error) -> bool {
    match error {
        Error::Missing => true,
        Error::Status(status) => matches!(
            *status,
            StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
        ),
        _ => false,
    }
}

/// What is kept of a manifest of schema 1: its signatures are verified, and made anew for each client.
async fn payload(document: Bytes) -> Result<Bytes, Error> {
    // Signatures of some megabytes are worth a thread.
    let verified = spawn_blocking(move || schema1::pushed(&document)).await;
    let verified = verified.map_err(|_| Error::GivenUp)?;
    let pushed = verified.map_err(|refused| {
        tracing::warn!(%refused, "a manifest of schema 1 is not usable");
        Error::Unusable("it is no valid manifest of Docker's schema 1")
    })?;
    Ok(pushed.payload)
}

/// The target of `Link: <…>; rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim_start().strip_prefix('<')?.split_once('>')?;
    parameters.contains("next").then_some(target)
}
