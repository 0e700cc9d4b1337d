//! The referrers of a manifest: signatures, SBOMs and the like that name it as their subject.

use http::{HeaderName, HeaderValue, header::LINK};
use oci::{Digest, ManifestType, Referrer, Referrers, RepositoryName};
use serde_json::{Value, json};

use super::{
    Answer, Call, document,
    page::{self, Page, query},
    proxied::warn_of_age,
    warning::warn,
};

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

const INDEX: HeaderValue = HeaderValue::from_static(ManifestType::OciIndex.as_str());

/// The most descriptors of a page.
const PAGE_ENTRIES: usize = 1000;

/// The most bytes of descriptors of a page: clients read no index of more than 4 MiB.
const PAGE_BYTES: usize = 3 << 20;

impl Call<'_> {
    /// Always a list, whether or not anybody has heard of the repository or the subject: to clients a
    /// 404 means that there is no such API.
    pub(super) async fn referrers(&self, name: &RepositoryName, subject: &Digest) -> Answer {
        let page = Page::of(self.parts)?;
        let there = self.find_referrers(name, subject).await?;
        let is_stale = there.as_ref().is_some_and(|there| there.is_stale);
        let wanted = query(self.parts, "artifactType").filter(|wanted| !wanted.is_empty());
        let wanted = wanted.as_deref();
        let show = |referrers: &Referrers| Shown::of(referrers, &page, wanted);
        let found = match there {
            Some(there) => there.referrers.as_ref().map(show),
            None => self.api.content.referrers(name, subject, show).await?,
        };
        let is_readable = found.is_some();
        let Shown { index, last } = found.unwrap_or_else(|| show(&Referrers::default()));
        let mut response = document::answer(self.parts, INDEX, index);
        if wanted.is_some() {
            let filters = HeaderValue::from_static("artifactType");
            response.headers_mut().insert(FILTERS_APPLIED, filters);
        }
        if let Some(last) = last {
            let path = format!("{}v2/{name}/referrers/{subject}", self.settings.external.prefix);
            let last = last.to_string();
            let mut parameters = vec![("last", last.as_str())];
            let n = page.n.map(|n| n.to_string());
            parameters.extend(n.as_deref().map(|n| ("n", n)));
            parameters.extend(wanted.map(|wanted| ("artifactType", wanted)));
            response.headers_mut().insert(LINK, page::link(&path, &parameters));
        }
        warn_of_age(&mut response, is_stale);
        if !is_readable {
            warn(
                &mut response,
                "the referrers tag of this digest is no image index: it lists nothing",
            );
        }
        Ok(response)
    }
}

/// A page of a list.
struct Shown {
    index: Vec<u8>,
    /// Its last entry, if others follow.
    last: Option<Digest>,
}

impl Shown {
    fn of(referrers: &Referrers, page: &Page, wanted: Option<&str>) -> Self {
        // `last` is a place in the order, and need not be a digest.
        let is_on_page = |digest: &Digest, referrer: &Referrer| {
            page.last.as_ref().is_none_or(|last| digest.to_string() > *last)
                && wanted.is_none_or(|wanted| referrer.artifact_type() == Some(wanted))
        };
        let mut rest = referrers.by_digest();
        rest.retain(|(digest, referrer)| is_on_page(digest, referrer));
        let shown = &rest[..fitting(&rest, page.n.unwrap_or(PAGE_ENTRIES))];
        let last = shown.last().filter(|_| shown.len() < rest.len());
        Self { index: index(shown), last: last.map(|(digest, _)| **digest) }
    }
}

/// How many of the first entries make a page: at least one that fits in none.
fn fitting(entries: &[(&Digest, &Referrer)], most: usize) -> usize {
    let mut bytes = 0;
    let fits = |(_, referrer): &&(&Digest, &Referrer)| {
        let first = bytes == 0;
        bytes += referrer.document().to_string().len();
        first || bytes <= PAGE_BYTES
    };
    entries.iter().take(most.min(PAGE_ENTRIES)).take_while(fits).count()
}

fn index(shown: &[(&Digest, &Referrer)]) -> Vec<u8> {
    let manifests: Vec<&Value> = shown.iter().map(|(_, referrer)| referrer.document()).collect();
    let media_type = ManifestType::OciIndex.as_str();
    let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests });
    index.to_string().into_bytes()
}
