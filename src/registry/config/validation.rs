//! `validation` and `policy`: which manifests are taken.

use std::fmt;

use oci::Platform;
use regex::Regex;

use super::{
    check::Findings,
    keys, scalar,
    tree::{Node, Value},
};

/// More than any image or index has; each is looked up while others wait for its lock.
const REFERENCES: usize = 4096;

/// What Distribution takes, what the OCI specification asks registries to take at least, and what
/// clients read at most.
const PAYLOAD_BYTES: usize = 4 * 1024 * 1024;

const PLATFORMS: &str = "validation.manifests.indexes.platforms";
const PLATFORM_LIST: &str = "validation.manifests.indexes.platformlist";
const CLASSES: &str = "policy.repository.classes";

/// `validation` and `policy`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Validation {
    /// `validation.manifests.urls`.
    pub urls: Urls,
    /// `validation.manifests.indexes`.
    pub children: Children,
    /// `validation.manifests.referencelimit`: what one manifest may refer to; 4096 when unset.
    pub reference_limit: usize,
    /// `validation.manifests.payloadsizelimit`: the bytes of one manifest; 4 MiB when unset, and at most.
    pub payload_limit: usize,
    /// `policy.repository.classes`; none: every manifest is taken.
    pub classes: Option<Vec<Class>>,
}

/// Which URLs layers may have: those that a pattern of `allow` matches, if there is one, and none of `deny`.
///
/// Without any pattern every host is fine. Layers of a type that is not to be distributed need not be in the
/// repository when they have a URL, as the image specification has it; Distribution takes none then.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Urls {
    /// `allow`.
    pub allow: Vec<Pattern>,
    /// `deny`.
    pub deny: Vec<Pattern>,
}

/// A regular expression as Go reads it: linear in time, matching anywhere.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// Which manifests of an index must be in the repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Children {
    /// Each.
    All,
    /// None: sparse indexes are taken.
    None,
    /// Those for these platforms.
    Of(Vec<IndexPlatform>),
}

/// An item of `platformlist`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IndexPlatform {
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// `linux`, `windows`.
    pub os: String,
}

/// What a repository may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Images.
    Image,
    /// Docker's plugins.
    Plugin,
}

impl Class {
    /// The word for it in `config.yml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Plugin => "plugin",
        }
    }
}

impl Pattern {
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

impl Children {
    /// Whether a manifest for this platform must be there.
    pub(crate) fn include(&self, platform: Option<&Platform>) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Of(platforms) => platform.is_some_and(|platform| {
                let same = |listed: &IndexPlatform| {
                    listed.architecture == platform.architecture && listed.os == platform.os
                };
                platforms.iter().any(same)
            }),
        }
    }
}

pub(super) fn read(root: &Node, findings: &mut Findings) -> Validation {
    let disabled = root.find("validation.disabled").and_then(Node::text);
    let (urls, children) = match disabled.and_then(scalar::boolean) {
        // As Distribution: blobs are asked for all the same.
        Some(true) => (Urls::default(), Children::None),
        Some(false) | None => (urls(root, findings), children(root, findings)),
    };
    Validation {
        urls,
        children,
        reference_limit: limit(root, "referencelimit", REFERENCES, findings),
        payload_limit: payload_limit(root, findings),
        classes: classes(root, findings),
    }
}

fn urls(root: &Node, findings: &mut Findings) -> Urls {
    let allow = patterns(root, "validation.manifests.urls.allow", findings);
    let deny = patterns(root, "validation.manifests.urls.deny", findings);
    Urls { allow, deny }
}

fn patterns(root: &Node, path: &str, findings: &mut Findings) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for item in root.find(path).map_or(&[][..], Node::items) {
        match item.text().map(Regex::new) {
            Some(Ok(pattern)) => patterns.push(Pattern(pattern)),
            Some(Err(_)) | None => {
                let advice = Some("for example `^https://mirror\\.example\\.com/`");
                findings.problem(path, item, "must be a regular expression", advice);
            }
        }
    }
    patterns
}

fn children(root: &Node, findings: &mut Findings) -> Children {
    let Some(node) = root.find(PLATFORMS) else { return Children::All };
    match node.text().map(str::to_lowercase).as_deref() {
        Some("all") | None => Children::All,
        Some("none") => Children::None,
        Some("list") => Children::Of(platforms(root, node, findings)),
        Some(_) => {
            findings.problem(PLATFORMS, node, "must be one of all, none, list", None);
            Children::All
        }
    }
}

fn platforms(root: &Node, node: &Node, findings: &mut Findings) -> Vec<IndexPlatform> {
    let mut platforms = Vec::new();
    for item in root.find(PLATFORM_LIST).map_or(&[][..], Node::items) {
        let text = |name| item.find(name).and_then(Node::text).map(str::to_owned);
        match (text("architecture"), text("os")) {
            (Some(architecture), Some(os)) => platforms.push(IndexPlatform { architecture, os }),
            (None, _) | (_, None) => {
                let advice = Some("write `{architecture: amd64, os: linux}`");
                findings.problem(PLATFORM_LIST, item, "must name architecture and os", advice);
            }
        }
    }
    if platforms.is_empty() {
        let advice = Some("name some in `platformlist`, or write `none`");
        findings.problem(PLATFORMS, node, "there is no list", advice);
    }
    platforms
}

fn payload_limit(root: &Node, findings: &mut Findings) -> usize {
    let path = "payloadsizelimit";
    let limit = limit(root, path, PAYLOAD_BYTES, findings);
    if limit > PAYLOAD_BYTES {
        let path = keys::join("validation.manifests", path);
        if let Some(node) = root.find(&path) {
            let message = format!("no more than {PAYLOAD_BYTES} are taken: clients read no more");
            findings.warning(&path, node, message);
        }
    }
    limit.min(PAYLOAD_BYTES)
}

/// A number below `validation.manifests`; zero is none set, as in GitLab's registry.
fn limit(root: &Node, name: &str, default: usize, findings: &mut Findings) -> usize {
    let path = keys::join("validation.manifests", name);
    let Some(node) = root.find(&path) else { return default };
    let Some(number) = node.text().and_then(scalar::integer) else { return default };
    match usize::try_from(number) {
        Ok(0) => default,
        Ok(limit) => limit,
        Err(_) => {
            findings.problem(&path, node, "must not be negative", Some("0 is the default"));
            default
        }
    }
}

fn classes(root: &Node, findings: &mut Findings) -> Option<Vec<Class>> {
    let node = root.find(CLASSES)?;
    let items = match &node.value {
        Value::List(items) if !items.is_empty() => items,
        Value::List(_) | Value::Scalar { .. } | Value::Map(_) => return None,
    };
    let mut classes = Vec::new();
    for item in items {
        let named = |class: &Class| item.text() == Some(class.as_str());
        match [Class::Image, Class::Plugin].into_iter().find(named) {
            Some(class) => classes.push(class),
            None => findings.problem(CLASSES, item, "must be one of image, plugin", None),
        }
    }
    Some(classes)
}
