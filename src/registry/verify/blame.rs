//! Which manifests a repository's tags lead to: what that proves, and which tags cannot be pulled.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use oci::Tag;

use super::{decide::Judge, finding::Finding, inventory::Link, manifests::Manifest};
use crate::digests::DigestId;

impl Judge<'_> {
    /// The manifests whose needs this repository has had: those that its tags lead to, or have led to.
    pub(super) fn proved(&self) -> HashSet<DigestId> {
        let tags = self.repository.tags.values().filter_map(|link| match link {
            Link::Holds(id) => Some(*id),
            _ => None,
        });
        let history = self.repository.history.values().flat_map(HashMap::keys);
        let mut proved = HashSet::new();
        for root in tags.chain(history.copied()) {
            self.close(root, &mut proved);
        }
        proved
    }

    /// Adds a manifest of this repository, and all that are below it.
    fn close(&self, root: DigestId, closed: &mut HashSet<DigestId>) {
        let mut left = vec![root];
        while let Some(id) = left.pop() {
            let id = match self.repository.revision(id) {
                Link::Holds(canonical) => *canonical,
                _ => id,
            };
            if !closed.insert(id) {
                continue;
            }
            if let Some(Manifest::Needs { children, .. }) = self.seen.manifests.get(&id) {
                left.extend(children);
            }
        }
    }

    /// Finds the tags that cannot be pulled, and tells the findings that are to blame.
    pub(super) fn broken_tags(&mut self) -> BTreeSet<Tag> {
        let mut by_manifest = self.broken.clone();
        for (at, finding) in self.findings.iter().enumerate() {
            if let Some(of) = finding.of {
                by_manifest.entry(of).or_default().push(at);
            }
        }
        let own = |finding: &Finding| finding.tags.first().and_then(|tag| tag.parse::<Tag>().ok());
        let mut broken: BTreeSet<Tag> = self.findings.iter().filter_map(own).collect();
        let mut blamed: BTreeMap<usize, BTreeSet<Tag>> = BTreeMap::new();
        for (tag, link) in &self.repository.tags {
            let Link::Holds(id) = link else { continue };
            if by_manifest.is_empty() {
                break;
            }
            let mut closed = HashSet::new();
            self.close(*id, &mut closed);
            // A link that leads nowhere is known by its path.
            closed.insert(*id);
            for at in closed.iter().filter_map(|id| by_manifest.get(id)).flatten() {
                broken.insert(tag.clone());
                blamed.entry(*at).or_default().insert(tag.clone());
            }
        }
        for (at, tags) in blamed {
            self.findings[at].tags = tags.into_iter().map(|tag| tag.to_string()).collect();
        }
        broken
    }
}
