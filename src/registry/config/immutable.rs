//! `regctl.immutabletags`: tags that are set once.

use oci::Tag;

use super::{check::Findings, tree::Node};
use crate::glob::Glob;

const PATH: &str = "regctl.immutabletags";

/// Tags that are set once, and neither moved nor deleted afterwards.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImmutableTags {
    /// The repositories it is for.
    pub repositories: Vec<Glob>,
    /// Their tags.
    pub tags: Vec<Glob>,
}

impl ImmutableTags {
    /// Whether it is for a repository.
    #[must_use]
    pub fn is_for(&self, repository: &str) -> bool {
        self.repositories.iter().any(|glob| glob.matches(repository))
    }

    /// The first of its wildcards for tags that is for this tag of this repository. Lists of referrers, which the registry
    /// changes itself, are never meant.
    #[must_use]
    pub fn rule(&self, repository: &str, tag: &Tag) -> Option<&Glob> {
        if is_of_referrers(tag) || !self.is_for(repository) {
            return None;
        }
        self.tags.iter().find(|glob| glob.matches(tag.as_str()))
    }
}

pub(super) fn read(root: &Node, findings: &mut Findings) -> Vec<ImmutableTags> {
    let items = root.find(PATH).map_or(&[][..], Node::items);
    let mut rules = Vec::with_capacity(items.len());
    for item in items {
        let (repositories, tags) =
            (globs(item, "repositories", findings), globs(item, "tags", findings));
        if repositories.is_empty() || tags.is_empty() {
            let advice = Some("write `{repositories: [\"group/**\"], tags: [\"v*\"]}`");
            findings.problem(PATH, item, "must name repositories and tags", advice);
        }
        rules.push(ImmutableTags { repositories, tags });
    }
    rules
}

fn globs(item: &Node, name: &str, findings: &mut Findings) -> Vec<Glob> {
    let mut globs = Vec::new();
    for node in item.find(name).map_or(&[][..], Node::items) {
        match Glob::parse(node.text().unwrap_or_default()) {
            Ok(glob) => globs.push(glob),
            Err(error) => findings.problem(PATH, node, format!("must be {error}"), None),
        }
    }
    globs
}

/// Whether it has the form under which referrers are listed (OCI 1.1, referrers tag schema).
fn is_of_referrers(tag: &Tag) -> bool {
    let is_hash = |hash: &str| {
        hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    matches!(tag.as_str().split_once('-'), Some(("sha256" | "sha512", hash)) if is_hash(hash))
}
