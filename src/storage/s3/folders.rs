//! Folders, of which a bucket has none: what the names of several objects begin with.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;

use super::store::{BATCH, Store};
use crate::{Entry, Error, Kind};

impl Store {
    /// Whether there is an object in a folder.
    pub(super) async fn has_any(&self, folder: &str) -> Result<bool, Error> {
        let request = self.client.list_objects_v2().bucket(&self.bucket);
        let sent = request.prefix(format!("{folder}/")).max_keys(1).send().await;
        let answer = sent.map_err(|error| self.failed("list", folder, &error))?;
        Ok(!answer.contents().is_empty())
    }

    /// The children of a folder, sorted by the bytes of their names.
    pub(super) async fn children(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        let inside = format!("{folder}/");
        let (mut entries, mut next, mut is_there) = (BTreeMap::new(), None, false);
        loop {
            let page = self.page(&inside, Some("/"), next.take()).await?;
            let folders = page.common_prefixes().iter().filter_map(|folder| folder.prefix());
            for name in folders.filter_map(|path| path.strip_prefix(&inside)?.strip_suffix('/')) {
                entries.insert(name.to_owned(), true);
            }
            let objects = page.contents().iter().filter_map(|object| object.key());
            is_there |= !page.contents().is_empty();
            // One that has the folder's own name stands for the folder.
            for name in objects.filter_map(|path| path.strip_prefix(&inside)) {
                if !name.is_empty() {
                    entries.entry(name.to_owned()).or_insert(false);
                }
            }
            next = self.next_page(folder, &page)?;
            if next.is_none() {
                break;
            }
        }
        if entries.is_empty() && !is_there {
            return Err(self.error(Kind::NotFound, "list", folder));
        }
        Ok(entries.into_iter().map(|(name, is_folder)| Entry { name, is_folder }).collect())
    }

    /// Deletes all objects of a folder; none of them is there when this returns.
    pub(super) async fn delete_inside(&self, folder: &str) -> Result<(), Error> {
        let inside = format!("{folder}/");
        let (mut found, mut next) = (false, None);
        loop {
            let page = self.page(&inside, None, next.take()).await?;
            let paths: Vec<String> =
                page.contents().iter().filter_map(|object| object.key.clone()).collect();
            found |= !paths.is_empty();
            for batch in self.with_folders(folder, paths).chunks(BATCH) {
                let deleted = self.delete_all(batch).await;
                self.settle_deleted(folder, batch, deleted).await?;
            }
            next = self.next_page(folder, &page)?;
            if next.is_none() {
                break;
            }
        }
        if found { Ok(()) } else { Err(self.error(Kind::NotFound, "delete", folder)) }
    }

    /// Adds to what goes the folders that it leaves empty, the inner ones first: some stores keep them, and list them
    /// for minutes as if something was in them. None of them deletes one that is not empty.
    pub(super) fn with_folders(&self, folder: &str, mut paths: Vec<String>) -> Vec<String> {
        if !self.keeps_folders {
            return paths;
        }
        let mut folders = BTreeSet::new();
        for path in &paths {
            let above = path.match_indices('/').map(|(at, _)| &path[..=at]);
            folders.extend(above.filter(|above| above.len() > folder.len()).map(str::to_owned));
        }
        // What is in a folder comes after it in the order of names.
        paths.extend(folders.into_iter().rev());
        paths
    }

    /// After a failure only the store knows what it has deleted.
    pub(super) async fn settle_deleted(
        &self,
        folder: &str,
        batch: &[String],
        deleted: Result<(), Error>,
    ) -> Result<(), Error> {
        let Err(error) = deleted else { return Ok(()) };
        let page = self.page(&format!("{folder}/"), None, None).await;
        let Ok(page) = page else { return Err(error) };
        let mut left = page.contents().iter().filter_map(|object| object.key.as_ref());
        if left.any(|path| batch.contains(path)) { Err(error) } else { Ok(()) }
    }

    /// One page of what names begin with `inside`.
    async fn page(
        &self,
        inside: &str,
        delimiter: Option<&str>,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, Error> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(inside);
        let request = request.set_delimiter(delimiter.map(str::to_owned));
        let sent = request.set_continuation_token(token).send().await;
        sent.map_err(|error| self.failed("list", inside.trim_end_matches('/'), &error))
    }

    /// Where the next page begins; none after the last one.
    pub(super) fn next_page(
        &self,
        folder: &str,
        page: &ListObjectsV2Output,
    ) -> Result<Option<String>, Error> {
        match (page.is_truncated(), &page.next_continuation_token) {
            (Some(true), Some(token)) => Ok(Some(token.clone())),
            // A list that ends early is no list.
            (Some(true), None) => Err(self.error(Kind::Truncated, "list", folder)),
            (Some(false) | None, _) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::s3::tests::store;

    #[test]
    fn folders_go_from_the_inside_and_none_above_the_one_that_is_meant() {
        let paths = || vec!["a/t/v1/current/link".to_owned(), "a/t/v1/index/x/link".to_owned()];
        let gone = store("http://127.0.0.1:9").with_folders("a/t/v1", paths());
        let folders = ["a/t/v1/index/x/", "a/t/v1/index/", "a/t/v1/current/", "a/t/v1/"];
        assert_eq!(gone, [paths().as_slice(), &folders.map(str::to_owned)].concat());
    }
}
