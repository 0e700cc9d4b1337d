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
        let has_rules = {
            let rules = self.shared.immutable.0.read().unwrap_or_else(PoisonError::into_inner);
            rules.iter().any(|rule| rule.is_for(repository.as_str()))
        };
        if has_rules {
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
    use std::{task::Poll, time::Duration};

    use bytes::Bytes;
    use oci::{Algorithm, Manifest};

    use super::*;
    use crate::{
        config::Children,
        content::{
            Condition,
            locks::{Mode, Subject},
            manifest::{Needs, Push},
        },
        glob::Glob,
    };

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

    /// Puts a manifest with these further members and this tag, and returns its digest.
    async fn put(content: &Content, name: &RepositoryName, members: &str, tag: &str) -> Digest {
        let config = Digest::of(Algorithm::Sha256, b"{}");
        let writing = content.begin_write().unwrap();
        writing.put_blob(name, &config, Bytes::from_static(b"{}")).await.unwrap();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[]{members}}}"#
        );
        let bytes = Bytes::from(text);
        let (manifest, tags) = (Manifest::parse(None, &bytes).unwrap(), vec![tag.parse().unwrap()]);
        let (needs, condition) = (Needs { children: Children::All }, Condition::default());
        let push = Push { digest: None, tags, manifest, bytes, needs, condition };
        writing.put_manifest(name, push).await.unwrap().digest
    }

    #[tokio::test]
    async fn a_referrer_stays_on_its_list_if_its_tag_becomes_immutable_while_it_is_deleted() {
        let content = content();
        let name: RepositoryName = "app".parse().unwrap();
        let subject = put(&content, &name, "", "subject").await;
        let members = format!(
            r#","subject":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{subject}","size":2}}"#
        );
        let referrer = put(&content, &name, &members, "v1").await;
        // The deletion has looked at the rules, and waits for those who write tags.
        let tags = Subject::Tags(&name);
        let held = content.shared.locks.acquire(tags, Mode::Shared).await;
        let writing = content.begin_write().unwrap();
        let mut deleting = std::pin::pin!(writing.delete_manifest(&name, &referrer));
        let listed = async || {
            let show = |list: &oci::Referrers| list.by_digest().len();
            content.referrers(&name, &subject, show).await.unwrap().unwrap_or_default()
        };
        while listed().await > 0 {
            assert!(is_pending(&mut deleting).await);
        }
        content.set_immutable_tags(&[rule("app", "v*")]);
        drop(held);
        let refused = deleting.await.unwrap_err();
        assert!(matches!(refused, Error::Immutable { .. }), "{refused}");
        assert_eq!(listed().await, 1);
    }

    /// Asks once.
    async fn is_pending<F: Future>(future: &mut std::pin::Pin<&mut F>) -> bool {
        tokio::task::yield_now().await;
        std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending()))
            .await
    }
}
