//! Tags of a repository: their links, and their histories.

use std::collections::HashMap;

use oci::Tag;
use storage::Item;

use super::{
    decide::Judge,
    finding::{Finding, Holds, Sign, What},
    inventory::Link,
};
use crate::{content::Mend, digests::DigestId};

impl Judge<'_> {
    fn tag_item(&self, tag: &Tag) -> Item {
        Item::Tag(self.repository.name.clone(), tag.clone())
    }

    pub(super) fn tags(&mut self) {
        for (tag, link) in &self.repository.tags {
            let item = self.tag_item(tag);
            match link {
                Link::Holds(id) => self.tag(tag, *id, item),
                Link::Absent => {
                    let there = Sign::Tag(self.repository.name.clone(), tag.clone());
                    let finding = Finding::new(What::TagWithoutLink, &item).under(tag);
                    let finding = finding.while_(there).while_(Sign::Link(item, Holds::Gone));
                    self.findings.push(finding);
                }
                Link::Bad(meant) => self.bad_tag(tag, *meant, item),
                Link::Unread(reason) => {
                    let finding = Finding::new(What::Unreadable, &item).because(reason).under(tag);
                    self.findings.push(finding.while_(Sign::Link(item, Holds::Unread)));
                }
            }
            self.history(tag, link);
        }
    }

    fn tag(&mut self, tag: &Tag, id: DigestId, item: Item) {
        if *self.repository.revision(id) != Link::Absent {
            return;
        }
        self.may_need(id);
        if self.seen.rules.is_cache {
            return;
        }
        let revision = self.revision_item(id);
        let digest = self.digest(id);
        let finding = Finding::new(What::MissingManifest, &revision)
            .because("the repository has no link to it")
            .under(tag)
            .while_(Sign::Link(item, Holds::Digest(digest)))
            .while_(Sign::Link(revision, Holds::Gone));
        self.findings.push(finding);
    }

    fn bad_tag(&mut self, tag: &Tag, meant: Option<DigestId>, item: Item) {
        let finding = Finding::new(What::BadLink, &item)
            .because("the link of a tag holds no digest, or more than that")
            .under(tag)
            .while_(Sign::Link(item, Holds::Nothing));
        let is_there = |id: &DigestId| matches!(self.repository.revision(*id), Link::Holds(_));
        let repository = self.repository.name.clone();
        self.findings.push(match meant.filter(is_there) {
            Some(id) => {
                let digest = self.digest(id);
                finding.mended_by(Mend::Tag { repository, tag: tag.clone(), digest })
            }
            None => finding,
        });
    }

    fn history(&mut self, tag: &Tag, current: &Link) {
        let (name, none) = (&self.repository.name, HashMap::new());
        let entries = self.repository.history.get(tag).unwrap_or(&none);
        let mut wrong = Vec::new();
        if let Link::Holds(id) = current
            && matches!(entries.get(id), None | Some(Link::Absent))
        {
            wrong.push((*id, What::MissingTagIndex, Holds::Gone));
        }
        if matches!(current, Link::Holds(_)) {
            let bad = entries.iter().filter(|(_, link)| matches!(link, Link::Bad(_)));
            wrong.extend(bad.map(|(id, _)| (*id, What::BadLink, Holds::Nothing)));
        }
        for (id, what, holds) in wrong {
            let digest = self.digest(id);
            let item = Item::TagIndex(name.clone(), tag.clone(), digest);
            let (repository, tag) = (name.clone(), tag.clone());
            let finding = Finding::new(what, &item)
                .while_(Sign::Link(self.tag_item(&tag), Holds::Anything))
                .while_(Sign::Link(item, holds))
                .mended_by(Mend::TagIndex { repository, tag, digest });
            self.findings.push(finding);
        }
    }
}
