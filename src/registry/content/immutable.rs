//! Tags that are set once: who would move or delete one is refused, whatever way they come.

use std::sync::{PoisonError, RwLock};

use oci::{Digest, RepositoryName, Tag};
use storage::Key;

use super::{Content, Error};
use crate::config::ImmutableTags;

/// The rules that are in force.
#[derive(Debug, Default)]
pub(super) struct Rules(RwLock<Vec<ImmutableTags>>);

impl Content {
    /// Has other rules from now on. Who holds a tag's lock by then goes by those before.
    pub(crate) fn set_immutable_tags(&self, rules: &[ImmutableTags]) {
        let mut held = self.shared.immutable.0.write().unwrap_or_else(PoisonError::into_inner);
        rules.clone_into(&mut held);
    }

    /// The rule by which a tag is set once.
    pub(super) fn immutable(&self, repository: &RepositoryName, tag: &Tag) -> Option<String> {
        let rules = self.shared.immutable.0.read().unwrap_or_else(PoisonError::into_inner);
        rules.iter().find_map(|rule| rule.rule(repository.as_str(), tag)).map(ToString::to_string)
    }

    /// Fails if one of the tags that lead to a manifest may not be deleted.
    pub(super) async fn may_delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let is_empty =
            self.shared.immutable.0.read().unwrap_or_else(PoisonError::into_inner).is_empty();
        if !is_empty {
            for tag in self.tags_of(repository, digest).await? {
                self.may_delete(repository, &tag)?;
            }
        }
        Ok(())
    }

    /// Fails if a tag may not be moved to this manifest. The caller holds the tag's lock.
    pub(super) async fn may_set(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<(), Error> {
        let Some(rule) = self.immutable(repository, tag) else { return Ok(()) };
        match self.read_link(Key::TagLink(repository, tag)).await? {
            Some(current) if current != *digest => Err(Error::Immutable { tag: tag.clone(), rule }),
            _ => Ok(()),
        }
    }

    /// Fails if a tag may not be deleted.
    pub(super) fn may_delete(&self, repository: &RepositoryName, tag: &Tag) -> Result<(), Error> {
        match self.immutable(repository, tag) {
            Some(rule) => Err(Error::Immutable { tag: tag.clone(), rule }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use oci::Algorithm;

    use super::*;
    use crate::{content::Condition, glob::Glob};

    fn rule(repositories: &str, tags: &str) -> ImmutableTags {
        let globs = |text: &str| vec![Glob::parse(text).unwrap()];
        ImmutableTags { repositories: globs(repositories), tags: globs(tags) }
    }

    fn content() -> Content {
        Content::open(&storage::Config::InMemory, Duration::ZERO, None, None).unwrap()
    }

    #[test]
    fn rules_are_for_their_repositories_and_tags_and_not_for_lists_of_referrers() {
        let content = content();
        content.set_immutable_tags(&[
            rule("group/*", "v*"),
            rule("**", "release-?"),
            rule("lists", "**"),
        ]);
        let list = format!("sha256-{}", "0a".repeat(32));
        for (repository, tag, expected) in [
            ("group/app", "v1", Some("v*")),
            ("group/app", "latest", None),
            ("group/sub/app", "v1", None),
            ("other", "release-1", Some("release-?")),
            ("other", "release-10", None),
            ("lists", "sha256-0a", Some("**")),
            ("lists", &list, None),
        ] {
            let (repository, tag) = (repository.parse().unwrap(), tag.parse().unwrap());
            assert_eq!(
                content.immutable(&repository, &tag).as_deref(),
                expected,
                "{repository}:{tag}"
            );
        }
        content.set_immutable_tags(&[]);
        assert!(content.immutable(&"group/app".parse().unwrap(), &"v1".parse().unwrap()).is_none());
    }

    #[tokio::test]
    async fn a_tag_that_was_decided_on_stays_where_a_rule_has_come_since() {
        let content = content();
        let (name, tag): (RepositoryName, Tag) = ("app".parse().unwrap(), "v1".parse().unwrap());
        let digest = Digest::of(Algorithm::Sha256, b"{}");
        let writing = content.begin_write().unwrap();
        writing.put_blob(&name, &digest, Bytes::from_static(b"{}")).await.unwrap();
        for staged in content.stage_tag(&name, &tag, &digest).await.unwrap() {
            storage::Driver::commit(content.backend(), staged).await.unwrap();
        }
        content.set_immutable_tags(&[rule("app", "v*")]);
        let refused = writing.delete_tag_of(&name, &tag, digest).await.unwrap_err();
        assert!(matches!(refused, Error::Immutable { .. }), "{refused}");
        let refused = writing.delete_tag(&name, &tag, Condition::default()).await.unwrap_err();
        assert!(matches!(refused, Error::Immutable { .. }), "{refused}");
        let other = Digest::of(Algorithm::Sha256, b"[]");
        assert!(content.may_set(&name, &tag, &other).await.is_err());
        content.may_set(&name, &tag, &digest).await.unwrap();
        content.may_set(&name, &"v2".parse().unwrap(), &other).await.unwrap();
        content.set_immutable_tags(&[]);
        writing.delete_tag_of(&name, &tag, digest).await.unwrap();
    }
}
