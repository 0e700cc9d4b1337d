//! The tags of a repository.

use http::header::LINK;
use oci::{RepositoryName, Tag};
use serde::Serialize;

use super::{
    Answer, Call, document,
    failure::JSON,
    page::{self, Page},
    proxied::warn_of_age,
};

/// The document that clients read.
#[derive(Serialize)]
struct TagList<'a> {
    name: &'a RepositoryName,
    tags: &'a [Tag],
}

impl Call<'_> {
    /// Without `n` all of them, as everybody expects.
    pub(super) async fn tags(&self, name: &RepositoryName) -> Answer {
        let page = Page::of(self.parts)?;
        let (tags, is_stale) = self.find_tags(name).await?;
        // `last` need not be a tag: it is a place in the order.
        let first = match &page.last {
            Some(last) => tags.partition_point(|tag| tag.as_str() <= last.as_str()),
            None => 0,
        };
        let n = page.n.map(|n| n.min(self.settings.tags_max));
        let rest = &tags[first..];
        let shown = &rest[..n.unwrap_or(rest.len()).min(rest.len())];
        let document = serde_json::to_vec(&TagList { name, tags: shown })
            .expect("names and tags are always JSON");
        let mut response = document::answer(self.parts, JSON, document);
        if let (Some(n), Some(last), true) = (n, shown.last(), shown.len() < rest.len()) {
            let path = format!("{}v2/{name}/tags/list", self.settings.external.prefix);
            response.headers_mut().insert(LINK, page::next(&path, last.as_str(), n));
        }
        warn_of_age(&mut response, is_stale);
        Ok(response)
    }
}
