//! Multipart uploads: an object that is put together of parts, and there only when it is complete.

use std::sync::Arc;

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::{
    sync::{OnceCell, Semaphore},
    task::JoinSet,
};

use super::{failure::Failure, pending::Part, store::Store};
use crate::{Error, Kind};

/// What a part but the last one must have.
pub(super) const LEAST_BYTES: usize = 5 << 20;

/// What an object may have.
pub(super) const MOST_PARTS: usize = 10_000;

/// After so many parts they get twice as long, so that there is a place for all of a large layer.
const STEP: usize = 2_000;

/// Parts do not grow beyond this, but where they must.
const LARGE_BYTES: usize = 64 << 20;

/// How long a part is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct PartSize {
    /// While there is memory.
    pub(super) usual: usize,
    /// While there is little.
    pub(super) least: usize,
}

impl PartSize {
    /// The size of the part after `parts` others, where `chunk` is what is configured.
    pub(super) fn after(parts: usize, chunk: usize) -> Self {
        let doubled = |bytes: usize| bytes << (parts / STEP).min(MOST_PARTS / STEP);
        let least = doubled(LEAST_BYTES);
        let chunk = chunk.max(LEAST_BYTES);
        let most = LARGE_BYTES.max(chunk).max(least);
        Self { usual: doubled(chunk).clamp(least, most), least }
    }
}

/// A multipart upload, which the first part begins.
#[derive(Debug)]
pub(super) struct Multipart {
    pub(super) path: String,
    id: OnceCell<String>,
}

impl Multipart {
    pub(super) fn new(path: String, id: Option<String>) -> Self {
        Self { path, id: OnceCell::new_with(id) }
    }

    /// The store's name of it, once there is one.
    pub(super) fn known_id(&self) -> Option<&str> {
        self.id.get().map(String::as_str)
    }

    /// Begins it, unless it has begun; `begun` is run once, before any part of it is sent.
    pub(super) async fn begin<F>(
        &self,
        store: &Store,
        begun: impl FnOnce(String) -> F + Send,
    ) -> Result<&str, Error>
    where
        F: Future<Output = Result<(), Error>> + Send,
    {
        let id = self.id.get_or_try_init(|| async {
            let id = store.begin_multipart(&self.path).await?;
            match begun(id.clone()).await {
                Ok(()) => Ok(id),
                Err(error) => {
                    // Nobody knows of it.
                    let _ = store.abort(&self.path, &id).await;
                    Err(error)
                }
            }
        });
        id.await.map(String::as_str)
    }
}

impl Store {
    pub(super) async fn begin_multipart(&self, path: &str) -> Result<String, Error> {
        self.may_write("write", path).await?;
        let request = self.client.create_multipart_upload().bucket(&self.bucket).key(path);
        let sent = self.attributes.of_multipart(request).send().await;
        let answer = sent.map_err(|error| self.failed("write", path, &error))?;
        answer.upload_id.ok_or_else(|| self.error(Kind::Other, "write", path))
    }

    /// Sends a part, and returns its tag. Numbers begin at 1.
    pub(super) async fn send_part(
        &self,
        (path, id): (&str, &str),
        number: usize,
        part: &Part,
    ) -> Result<String, Error> {
        let request = self.client.upload_part().bucket(&self.bucket).key(path).upload_id(id);
        let request = request.part_number(part_number(number)).body(part.body().into());
        let sent = request.customize().disable_payload_signing().send().await;
        let answer = sent.map_err(|error| self.failed("write", path, &error))?;
        answer.e_tag.ok_or_else(|| self.error(Kind::Other, "write", path))
    }

    /// Makes an object of `length` bytes of the parts with these tags.
    ///
    /// The store compares the tags: a part that somebody else has sent meanwhile is refused.
    pub(super) async fn complete(
        &self,
        (path, id): (&str, &str),
        tags: &[String],
        length: u64,
    ) -> Result<(), Error> {
        self.may_write("write", path).await?;
        let parts = tags.iter().zip(1..).map(|(tag, number)| {
            CompletedPart::builder().e_tag(tag).part_number(part_number(number)).build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(path);
        let Err(error) = request.upload_id(id).multipart_upload(parts).send().await else {
            return Ok(());
        };
        let failure = Failure::of("write", &error);
        // Done by a request whose answer was lost, and which was sent again.
        if failure.kind() == Kind::NotFound && self.size(path).await? == Some(length) {
            return Ok(());
        }
        Err(self.refused("write", path, failure))
    }

    /// Puts an object as the one part of a multipart upload.
    pub(super) async fn put_in_parts(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let id = self.begin_multipart(path).await?;
        let put = async {
            let length = bytes.len() as u64;
            let request = self.client.upload_part().bucket(&self.bucket).key(path).upload_id(&id);
            let request = request.part_number(1).body(bytes.into());
            let sent = request.customize().disable_payload_signing().send().await;
            let answer = sent.map_err(|error| self.failed("write", path, &error))?;
            let tag = answer.e_tag.ok_or_else(|| self.error(Kind::Other, "write", path))?;
            self.complete((path, &id), &[tag], length).await
        };
        let put = put.await;
        if put.is_err() {
            // The first failure says more.
            let _ = self.abort(path, &id).await;
        }
        put
    }

    /// Has the store copy an object of `size` bytes. The new one is there whole or not at all.
    pub(super) async fn copy(
        self: &Arc<Self>,
        from: &str,
        to: &str,
        size: u64,
    ) -> Result<(), Error> {
        self.may_write("copy to", to).await?;
        if size > self.copying.whole {
            return self.copy_in_parts(from, to, size).await;
        }
        let request = self.client.copy_object().bucket(&self.bucket).key(to);
        let request = self.attributes.of_copy(request.copy_source(self.source(from)));
        request.send().await.map(drop).map_err(|error| self.failed("copy to", to, &error))
    }

    async fn copy_in_parts(self: &Arc<Self>, from: &str, to: &str, size: u64) -> Result<(), Error> {
        let id = self.begin_multipart(to).await?;
        let copied = match self.copy_parts(from, (to, &id), size).await {
            Ok(tags) => self.complete((to, &id), &tags, size).await,
            Err(error) => Err(error),
        };
        if copied.is_err() {
            // The error says more than a second one. Parts may be on their way.
            let _ = self.end_multipart(to, &id).await;
        }
        copied
    }

    /// Copies all parts, several at once, and returns their tags.
    async fn copy_parts(
        self: &Arc<Self>,
        from: &str,
        (to, id): (&str, &str),
        size: u64,
    ) -> Result<Vec<String>, Error> {
        let part = self.copying.part.max(size.div_ceil(MOST_PARTS as u64));
        let count = usize::try_from(size.div_ceil(part)).unwrap_or(MOST_PARTS);
        let permits = Arc::new(Semaphore::new(self.copying.at_once));
        let mut copies = JoinSet::new();
        for number in 1..=count {
            let start = part * (number as u64 - 1);
            let range = format!("bytes={start}-{}", (start + part).min(size) - 1);
            let (store, permits) = (Arc::clone(self), Arc::clone(&permits));
            let request = self.client.upload_part_copy().bucket(&self.bucket).key(to).upload_id(id);
            let request = request.part_number(part_number(number)).copy_source(self.source(from));
            let (request, to) = (request.copy_source_range(range), to.to_owned());
            copies.spawn(async move {
                let _permit = permits.acquire().await;
                let sent = request.send().await;
                let answer = sent.map_err(|error| store.failed("copy to", &to, &error))?;
                let tag = answer.copy_part_result.and_then(|result| result.e_tag);
                let tag = tag.ok_or_else(|| store.error(Kind::Other, "copy to", &to))?;
                Ok((number, tag))
            });
        }
        let mut tags = vec![String::new(); count];
        while let Some(joined) = copies.join_next().await {
            let (number, tag) = joined.map_err(|_| self.error(Kind::Other, "copy to", to))??;
            tags[number - 1] = tag;
        }
        Ok(tags)
    }

    /// How a request names the object to be copied.
    fn source(&self, path: &str) -> String {
        use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
        const KEPT: &AsciiSet =
            &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_');
        format!("{}/{}", self.bucket, utf8_percent_encode(path, KEPT))
    }
}

fn part_number(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_so_that_there_is_a_place_for_all_of_a_large_layer() {
        let chunk = 10 << 20;
        assert_eq!(PartSize::after(0, chunk), PartSize { usual: chunk, least: LEAST_BYTES });
        assert_eq!(PartSize::after(1999, chunk).usual, chunk);
        assert_eq!(PartSize::after(2000, chunk).usual, 2 * chunk);
        let all = |size: fn(PartSize) -> usize, chunk| -> u64 {
            (0..MOST_PARTS).map(|part| size(PartSize::after(part, chunk)) as u64).sum()
        };
        // The smallest chunks, and memory always short.
        assert!(all(|size| size.least, LEAST_BYTES) > 300 << 30);
        assert!(all(|size| size.usual, chunk) > 400 << 30);
        // No part takes more memory than there is, but where that is configured.
        assert!((0..MOST_PARTS).all(|part| PartSize::after(part, chunk).usual <= 80 << 20));
        assert_eq!(PartSize::after(9999, 1 << 30).usual, 1 << 30);
    }
}
