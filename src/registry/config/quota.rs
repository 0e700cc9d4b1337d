//! `regctl.quotas`: how much groups of repositories may hold.

use std::path::PathBuf;

use super::{check::Findings, scalar, tree::Node};
use crate::glob::Glob;

const PATH: &str = "regctl.quotas";

/// `regctl.quotas`: the quotas, and where it is written down how far they are used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quotas {
    /// `folder`: of the records, one for each quota.
    pub folder: PathBuf,
    /// `limits`: the quotas; what is for several of them must fit into all.
    pub limits: Vec<Quota>,
}

/// How much some repositories may hold together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quota {
    /// The repositories it is for.
    pub repositories: Vec<Glob>,
    /// `maxsize`: bytes of all blobs and manifests that they have links to, each once.
    pub max_size: u64,
}

impl Quota {
    /// Whether it is for a repository.
    #[must_use]
    pub fn is_for(&self, repository: &str) -> bool {
        self.repositories.iter().any(|glob| glob.matches(repository))
    }

    /// What it is called: its wildcards.
    #[must_use]
    pub fn name(&self) -> String {
        let globs: Vec<_> = self.repositories.iter().map(ToString::to_string).collect();
        globs.join(", ")
    }
}

pub(super) fn read(root: &Node, findings: &mut Findings) -> Option<Quotas> {
    let section = root.find(PATH)?;
    let items = section.find("limits").map_or(&[][..], Node::items);
    let folder = section.find("folder").and_then(Node::text).filter(|text| !text.is_empty());
    if items.is_empty() && folder.is_none() {
        return None;
    }
    let limits: Vec<Quota> = items.iter().map(|item| quota(item, findings)).collect();
    for (index, (item, limit)) in items.iter().zip(&limits).enumerate() {
        if limits[..index].iter().any(|other| other.repositories == limit.repositories) {
            let message = format!("`{}` has two limits", limit.name());
            findings.problem(PATH, item, message, Some("keep one of them"));
        }
    }
    if root.find("proxy.remoteurl").is_some_and(|remote| !remote.is_empty()) {
        let message = "is left out: a cache of another registry takes no pushes";
        findings.warning(PATH, section, message);
        return None;
    }
    if folder.is_none() {
        let advice =
            Some("write `folder: /var/lib/registry-quotas`, a folder of the registry's own");
        findings.problem(PATH, section, "must have a folder for its records", advice);
    }
    Some(Quotas { folder: folder.map(PathBuf::from).unwrap_or_default(), limits })
}

fn quota(item: &Node, findings: &mut Findings) -> Quota {
    let mut repositories = Vec::new();
    for node in item.find("repositories").map_or(&[][..], Node::items) {
        match Glob::parse(node.text().unwrap_or_default()) {
            Ok(glob) => repositories.push(glob),
            Err(error) => findings.problem(PATH, node, format!("must be {error}"), None),
        }
    }
    let max_size = item.find("maxsize").and_then(Node::text).and_then(scalar::integer);
    let max_size = max_size.and_then(|size| u64::try_from(size).ok());
    if repositories.is_empty() || max_size.is_none() {
        let advice = Some("write `{repositories: [\"group/**\"], maxsize: 10737418240}`");
        findings.problem(PATH, item, "must name repositories and a number of bytes", advice);
    }
    Quota { repositories, max_size: max_size.unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Quota, Quotas};

    fn text(quotas: &str) -> String {
        format!(
            "version: 0.1\nstorage: {{inmemory: }}\nhttp: {{addr: '127.0.0.1:0', secret: one}}\n{quotas}\n"
        )
    }

    #[test]
    fn limits_are_read_and_without_one_the_folder_is_known() {
        let read = |quotas: &str| Config::parse(&text(quotas), &[]).unwrap().config.quotas;
        let found = read(
            "regctl: {quotas: {folder: /srv/q, limits: [{repositories: ['a/**', b], maxsize: 0x10}]}}",
        );
        let found = found.unwrap();
        assert_eq!(found.folder.to_str(), Some("/srv/q"));
        let [Quota { max_size: 16, .. }] = &found.limits[..] else { panic!("{found:?}") };
        let quota = &found.limits[0];
        assert_eq!(quota.name(), "a/**, b");
        assert!(quota.is_for("a/x/y") && quota.is_for("b") && !quota.is_for("c"));
        let bare = read("regctl: {quotas: {folder: /srv/q}}").unwrap();
        assert_eq!(bare, Quotas { folder: "/srv/q".into(), limits: Vec::new() });
        assert_eq!(read("regctl: {quotas: }"), None);
    }

    #[test]
    fn what_is_no_quota_is_told_with_what_would_be_one() {
        let row = "repositories: [a], maxsize: 5";
        for (quotas, words) in [
            (format!("limits: [{{{row}}}]"), "must have a folder for its records"),
            (format!("folder: /q, limits: [{{{row}}}, {{{row}}}]"), "`a` has two limits"),
            (
                "folder: /q, limits: [{repositories: [a]}]".to_owned(),
                "must name repositories and a number of bytes",
            ),
            (
                "folder: /q, limits: [{repositories: [a], maxsize: -1}]".to_owned(),
                "must name repositories and a number of bytes",
            ),
            (
                "folder: /q, limits: [{repositories: ['a b'], maxsize: 5}]".to_owned(),
                "must be a name with `*`",
            ),
        ] {
            let text = text(&format!("regctl: {{quotas: {{{quotas}}}}}"));
            let refused = Config::parse(&text, &[]).unwrap_err().to_string();
            assert!(refused.contains(words), "{words}: {refused}");
        }
        let cache = format!(
            "regctl: {{quotas: {{folder: /q, limits: [{{{row}}}]}}}}\nproxy: {{remoteurl: 'https://registry.example.com'}}"
        );
        let parsed = Config::parse(&text(&cache), &[]).unwrap();
        assert!(parsed.config.quotas.is_none());
        let warnings: Vec<_> = parsed.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.iter().any(|it| it.contains("takes no pushes")), "{warnings:?}");
    }
}
