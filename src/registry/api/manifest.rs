//! Manifests: GET, HEAD, PUT, DELETE, by tag or digest.

use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION, VARY},
};
use oci::{Digest, ErrorCode, Manifest, ManifestType, Reference, RepositoryName, Tag};
use serde_json::json;

use super::{
    Answer, Body, Call,
    blob::{CONTENT_DIGEST, etag, matches_etag, not_modified, value},
    condition,
    failure::Failure,
    manifest_body::Arrived,
    negotiation,
    page::queries,
    proxied::{Answered, warn_of_age},
    received::Received,
    validation,
    warning::warn,
    witnessed::{references, tell_gone, to_its_end},
};
use crate::{
    config::EventAction,
    content::{Error, Listing, Push, Pushed, StoredManifest},
    events::{Happened, ManifestFacts, What},
    log::Causes as _,
    metrics,
    proxy::Kept,
};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");

/// More tags than anybody gives one manifest at once; each is a few files.
const TAGS: usize = 100;

impl Call<'_> {
    /// Serves the manifest as it was pushed, or what stands for it where a client cannot read it.
    pub(super) async fn manifest(&self, name: &RepositoryName, reference: &Reference) -> Answer {
        let Kept { manifest: mut found, is_stale } =
            match self.find_manifest(name, reference).await? {
                Answered::Kept(kept) => kept,
                Answered::Described(response) => return Ok(*response),
            };
        let mut kind = sniff(&found)?;
        let depends = self.depends_on_client(reference, kind);
        if depends && let Some(other) = self.instead(name, reference, kind, &found).await? {
            found = other;
            kind = sniff(&found)?;
        }
        let mut response = if matches_etag(&self.parts.headers, &found.digest) {
            not_modified()
        } else {
            if kind.is_schema1() {
                (kind, found.bytes) = (ManifestType::DockerSchema1Signed, self.signed(&found)?);
            }
            let told = (found.digest, reference.tag());
            let size = found.bytes.len() as u64;
            self.tell_manifest_pull(name, told, (kind.as_str(), size), Some(&found.bytes));
            self.count_pushed(metrics::Kept::Manifest, size);
            let mut response = Response::new(Body::full(found.bytes));
            let content_type = HeaderValue::from_static(kind.as_str());
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            response
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_DIGEST, value(&found.digest.to_string()));
        headers.insert(ETAG, etag(&found.digest));
        if depends {
            headers.insert(VARY, HeaderValue::from_static("Accept"));
        }
        warn_of_age(&mut response, is_stale);
        Ok(response)
    }

    /// Whether the answer is not the same to every client: a digest is that of one document only.
    fn depends_on_client(&self, reference: &Reference, kind: ManifestType) -> bool {
        let is_converted = self.settings.schema1 && kind == ManifestType::DockerManifest;
        matches!(reference, Reference::Tag(_)) && (kind == ManifestType::DockerList || is_converted)
    }

    /// Whether this client may get another manifest than the one that a tag points to.
    pub(super) fn gets_another(&self, reference: &Reference, kind: Option<ManifestType>) -> bool {
        let is_list_refused = |kind| {
            kind == ManifestType::DockerList && !negotiation::reads_lists(&self.parts.headers)
        };
        matches!(reference, Reference::Tag(_))
            && kind.is_some_and(|kind| is_list_refused(kind) || self.is_too_new(kind))
    }

    /// What a client wants instead of what a tag points to; none if it takes that, or the other is not there.
    async fn instead(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        kind: ManifestType,
        found: &StoredManifest,
    ) -> Result<Option<StoredManifest>, Failure> {
        if let Reference::Tag(tag) = reference
            && let Some(converted) = self.for_old_client(name, tag, kind, found).await?
        {
            return Ok(Some(converted));
        }
        let image = negotiation::instead(&self.parts.headers, kind, &found.bytes);
        let Some(image) = image else { return Ok(None) };
        self.manifest_if_there(name, image).await
    }

    /// A manifest of a list, if it is there.
    pub(super) async fn manifest_if_there(
        &self,
        name: &RepositoryName,
        digest: Digest,
    ) -> Result<Option<StoredManifest>, Failure> {
        match self.find_content(name, &digest.into()).await {
            Ok(Kept { manifest, .. }) => Ok(Some(manifest)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn put_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        body: Received,
    ) -> Answer {
        let (digest, tags) = self.targets(reference)?;
        // Its room is given back when it is stored, and not before: so long its bytes are in memory.
        let Arrived { bytes, _room } = self.manifest_bytes(body).await?;
        let declared = self.parts.headers.get(CONTENT_TYPE);
        let declared = declared.and_then(|value| value.to_str().ok());
        let (manifest, bytes) = match self.pushed_schema1(declared, &bytes).await? {
            Some(pushed) => (pushed.manifest, pushed.payload),
            None => (Manifest::parse(declared, &bytes).map_err(Error::from)?, bytes),
        };
        let needs = validation::check(&self.settings.validation, &manifest)?;
        let condition = condition::of(&self.parts.headers);
        let subject = manifest.subject.as_ref().map(|subject| subject.digest);
        let accepted = if digest.is_some() { tags.clone() } else { Vec::new() };
        let push = Push { digest, tags, manifest, bytes, needs, condition };
        let Pushed { digest, listing } = self.store_manifest(name, push).await?;
        let path = format!("{name}/manifests/{digest}");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::CREATED;
        let headers = response.headers_mut();
        headers.insert(LOCATION, self.settings.external.location(self.parts, &path));
        headers.insert(CONTENT_DIGEST, value(&digest.to_string()));
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        for tag in accepted {
            headers.append(TAG, value(tag.as_str()));
        }
        match (listing, subject) {
            // Not said of one that is not listed: the client may still see to it itself.
            (Some(Listing::Full), _) => warn(&mut response, FULL),
            (Some(Listing::Blocked), _) => warn(&mut response, BLOCKED),
            (Some(Listing::Listed | Listing::Gone) | None, Some(subject)) => {
                headers.insert(SUBJECT, value(&subject.to_string()));
            }
            (Some(Listing::Listed | Listing::Gone) | None, None) => {}
        }
        Ok(response)
    }

    /// Stores a manifest, and tells of it: once for each tag that points to it now.
    async fn store_manifest(&self, name: &RepositoryName, push: Push) -> Result<Pushed, Failure> {
        let writing = self.writing()?;
        let Some(witness) = self.witness() else {
            return Ok(writing.put_manifest(name, push).await?);
        };
        let (writing, repository) = (writing.clone(), name.clone());
        let (media_type, size) = (push.manifest.kind.as_str(), push.bytes.len() as u64);
        let references = match witness.wants_references() {
            true => references(&push.manifest),
            false => Vec::new(),
        };
        let mut tags: Vec<_> = push.tags.iter().cloned().map(Some).collect();
        if tags.is_empty() {
            tags.push(None);
        }
        let stored = to_its_end(async move {
            let pushed = writing.put_manifest(&repository, push).await?;
            for tag in tags {
                let (digest, references) = (pushed.digest, references.clone());
                let facts = ManifestFacts { digest, media_type, size, tag, references };
                let (action, repository) = (EventAction::Push, repository.clone());
                witness.tell(&Happened { action, repository, what: What::Manifest(facts) });
            }
            Ok(pushed)
        });
        Ok(stored.await?)
    }

    /// The digest that a push names, and the tags that shall point to it.
    fn targets(&self, reference: &Reference) -> Result<(Option<Digest>, Vec<Tag>), Failure> {
        let digest = match reference {
            Reference::Tag(tag) => return Ok((None, vec![tag.clone()])),
            Reference::Digest(digest) => *digest,
        };
        let mut tags = Vec::new();
        for text in queries(self.parts, "tag") {
            let tag: Tag = text.parse().map_err(|error: oci::TagError| {
                Failure::new(ErrorCode::TagInvalid)
                    .because(error)
                    .with_detail(json!({ "tag": text }))
            })?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
            if tags.len() > TAGS {
                return Err(Failure::new(ErrorCode::TagInvalid)
                    .because(format!("there are more than {TAGS} tags"))
                    .with_status(StatusCode::URI_TOO_LONG));
            }
        }
        Ok((Some(digest), tags))
    }

    pub(super) async fn delete_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Answer {
        let (writing, witness) = (self.writing()?.clone(), self.witness());
        let (name, reference) = (name.clone(), reference.clone());
        let condition = condition::of(&self.parts.headers);
        to_its_end(async move {
            let tags = match &reference {
                Reference::Tag(tag) => {
                    writing.delete_tag(&name, tag, condition).await?;
                    vec![tag.clone()]
                }
                Reference::Digest(digest) => writing.delete_manifest(&name, digest).await?,
            };
            let Some(witness) = witness else { return Ok(()) };
            // As Distribution: the manifest, then the tags that went with it.
            let gone = reference.digest().map(|digest| What::Gone(*digest));
            let gone = gone.into_iter().chain(tags.into_iter().map(What::GoneTag));
            gone.for_each(|what| tell_gone(&witness, &name, what));
            Ok(())
        })
        .await?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::ACCEPTED;
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(response)
    }
}

/// What is said of a referrer that no list has room for.
const FULL: &str =
    "the list of referrers of this subject is full: the manifest is stored and not listed";

/// What is said of a referrer whose subject's tag somebody has put to another use.
const BLOCKED: &str =
    "the referrers tag of this subject is no image index: the manifest is stored and not listed";

fn sniff(manifest: &StoredManifest) -> Result<ManifestType, Failure> {
    Manifest::sniff(&manifest.bytes).map_err(|error| {
        tracing::error!(digest = %manifest.digest, error = error.causes(), "stored manifest cannot be read");
        Failure::new(ErrorCode::Unknown)
    })
}
