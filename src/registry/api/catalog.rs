//! The repositories of the registry.

use http::header::LINK;
use oci::RepositoryName;
use serde_json::json;

use super::{
    Answer, Call, document,
    failure::JSON,
    page::{self, Page},
};

/// As Distribution.
const DEFAULT_ENTRIES: usize = 100;

impl Call<'_> {
    pub(super) async fn catalog(&self) -> Answer {
        let page = Page::of(self.parts)?;
        let most = self.settings.catalog_max_entries;
        let n = page.n.unwrap_or_else(|| DEFAULT_ENTRIES.min(most));
        if n > most {
            return Err(
                page::bad_number(&n.to_string()).because(format!("it is larger than {most}"))
            );
        }
        // One more than is shown tells whether there is another page.
        let mut found =
            self.api.content.repositories(page.last.as_deref(), n.saturating_add(1)).await?;
        let more = found.len() > n;
        found.truncate(n);
        let names: Vec<_> = found.iter().map(RepositoryName::as_str).collect();
        let document = json!({ "repositories": names });
        let document = document.to_string().into_bytes();
        let mut response = document::answer(self.parts, JSON, document);
        if let (Some(last), true) = (names.last(), more) {
            let path = format!("{}v2/_catalog", self.settings.external.prefix);
            response.headers_mut().insert(LINK, page::next(&path, last, n));
        }
        Ok(response)
    }
}
