//! Conditions of a write: what must be there, or must not, for it to happen.
//!
//! They are looked at under the locks of the write. Clients that keep an index of referrers, and
//! scripts that must not overwrite a tag, are safe from each other that way.

use oci::{Digest, Reference, RepositoryName, Tag};
use storage::Key;

use super::{Content, Error, manifest::Push};

/// `If-Match` and `If-None-Match` of a write.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Condition {
    pub(crate) is: Option<Versions>,
    pub(crate) is_not: Option<Versions>,
}

/// What a condition names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Versions {
    /// Whatever is there.
    Any,
    These(Vec<Digest>),
}

impl Condition {
    /// Whether the write may happen where this is what is there.
    fn holds(&self, current: Option<&Digest>) -> bool {
        self.is.as_ref().is_none_or(|versions| versions.include(current))
            && !self.is_not.as_ref().is_some_and(|versions| versions.include(current))
    }

    fn is_empty(&self) -> bool {
        self.is.is_none() && self.is_not.is_none()
    }
}

impl Versions {
    /// Whether what is there is one of them.
    pub(crate) fn include(&self, current: Option<&Digest>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::These(digests), Some(current)) => digests.contains(current),
        }
    }
}

impl Content {
    /// The caller holds the locks of the push.
    pub(super) async fn check_condition(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        push: &Push,
    ) -> Result<(), Error> {
        for tag in &push.tags {
            self.check_tag(repository, tag, &push.condition).await?;
        }
        if !push.tags.is_empty() || push.condition.is_empty() {
            return Ok(());
        }
        let is_there = self.holds_manifest(repository, digest).await?;
        if push.condition.holds(is_there.then_some(digest)) {
            Ok(())
        } else {
            Err(Error::Condition(Reference::Digest(*digest)))
        }
    }

    /// The caller holds the tag's lock.
    pub(super) async fn check_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        condition: &Condition,
    ) -> Result<(), Error> {
        if condition.is_empty() {
            return Ok(());
        }
        let current = self.read_link(Key::TagLink(repository, tag)).await?;
        if condition.holds(current.as_ref()) {
            Ok(())
        } else {
            Err(Error::Condition(Reference::Tag(tag.clone())))
        }
    }
}

#[cfg(test)]
mod tests {
    use oci::Algorithm;

    use super::*;

    #[test]
    fn a_condition_holds_as_rfc_9110_has_it() {
        let [a, b] = ["a", "b"].map(|text| Digest::of(Algorithm::Sha256, text.as_bytes()));
        let these = || Versions::These(vec![a]);
        let rows = [
            (None, None, [true, true, true]),
            (Some(Versions::Any), None, [false, true, true]),
            (Some(these()), None, [false, true, false]),
            (None, Some(Versions::Any), [true, false, false]),
            (None, Some(these()), [true, false, true]),
            (Some(Versions::Any), Some(these()), [false, false, true]),
        ];
        for (is, is_not, expected) in rows {
            let condition = Condition { is, is_not };
            let held = [None, Some(&a), Some(&b)].map(|current| condition.holds(current));
            assert_eq!(held, expected, "{condition:?}");
        }
    }
}
