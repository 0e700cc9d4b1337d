//! Which storage driver, with its options.

use std::path::PathBuf;

use storage::FilesystemConfig;

use super::{
    Origin,
    check::Findings,
    keys::{self, Support, nearest},
    s3, scalar,
    tree::{Entry, Node},
};

/// Keys of `storage` that name no driver.
const RESERVED: [&str; 5] = ["maintenance", "cache", "delete", "redirect", "tag"];
const DEFAULT_ROOT: &str = "/var/lib/registry";
const DEFAULT_THREADS: usize = 100;
const LEAST_THREADS: usize = 25;
/// What tokio's pool could be given at most without harm.
const MOST_THREADS: usize = 10_000;

/// Reads the one driver that is named; anything else is a problem.
pub(super) fn read(root: &Node, findings: &mut Findings) -> Option<storage::Config> {
    let absent = Node::null(Origin::Absent);
    let section = root.find("storage").unwrap_or(&absent);
    let drivers: Vec<&Entry> =
        section.entries().iter().filter(|entry| !RESERVED.contains(&&*entry.key)).collect();
    match drivers.as_slice() {
        [] => {
            let advice = Some("add `filesystem: {rootdirectory: /var/lib/registry}`");
            findings.problem("storage", section, "names no driver", advice);
            None
        }
        [driver] => one(driver, root, findings),
        [first, others @ ..] => {
            let mut message = format!("names {} drivers: {}", drivers.len(), place(first));
            for other in others {
                message.push_str(" and ");
                message.push_str(&place(other));
            }
            findings.problem("storage", section, message, Some("keep one"));
            None
        }
    }
}

fn place(driver: &Entry) -> String {
    match &driver.origin {
        Origin::File { line, .. } => format!("`{}` (line {line})", driver.key),
        Origin::Environment(name) => format!("`{}` (from {name})", driver.key),
        Origin::Absent => format!("`{}`", driver.key),
    }
}

fn one(driver: &Entry, root: &Node, findings: &mut Findings) -> Option<storage::Config> {
    match driver.key.as_str() {
        "filesystem" => Some(storage::Config::Filesystem(filesystem(root, findings))),
        "inmemory" => Some(storage::Config::InMemory),
        "s3" | "s3aws" => s3::read(driver, findings).map(storage::Config::S3),
        name => {
            refuse(name, driver, findings);
            None
        }
    }
}

fn refuse(name: &str, driver: &Entry, findings: &mut Findings) {
    let path = keys::join("storage", name);
    let named = Node::null(driver.origin.clone());
    if keys::find(&path).is_some_and(|key| matches!(key.support, Support::NotYet(_))) {
        let message = format!("the storage driver `{name}` is not supported yet");
        findings.problem(&path, &named, message, Some("use `filesystem`, `s3` or `inmemory`"));
        return;
    }
    let hint =
        nearest(name, keys::children("storage")).map(|near| format!("did you mean `{near}`?"));
    let advice = hint.as_deref().or(Some("the drivers are `filesystem`, `s3` and `inmemory`"));
    findings.problem(&path, &named, format!("`{name}` is no storage driver"), advice);
}

fn filesystem(root: &Node, findings: &mut Findings) -> FilesystemConfig {
    let text = |path| root.find(path).and_then(Node::text).filter(|text| !text.is_empty());
    let folder = text("storage.filesystem.rootdirectory").unwrap_or(DEFAULT_ROOT);
    FilesystemConfig { root_directory: PathBuf::from(folder), max_threads: threads(root, findings) }
}

fn threads(root: &Node, findings: &mut Findings) -> usize {
    let path = "storage.filesystem.maxthreads";
    let Some(node) = root.find(path) else { return DEFAULT_THREADS };
    let Some(threads) = node.text().and_then(scalar::integer) else { return DEFAULT_THREADS };
    match usize::try_from(threads) {
        Ok(threads) if threads > MOST_THREADS => {
            findings.problem(path, node, format!("must be at most {MOST_THREADS}"), None);
            DEFAULT_THREADS
        }
        Ok(threads) => threads.max(LEAST_THREADS),
        Err(_) => LEAST_THREADS,
    }
}
