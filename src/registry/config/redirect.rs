//! `storage.redirect` and `middleware`: blobs that clients get elsewhere.

use std::{path::PathBuf, time::Duration};

use super::{
    RemoteUrl,
    check::Findings,
    duration,
    keys::{self, nearest},
    proxy, read, scalar,
    tree::Node,
};

/// As Distribution.
const DURATION: Duration = Duration::from_secs(20 * 60);

/// What a signature of Amazon's may hold at most.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

const LIST: &str = "middleware.storage";

/// `middleware.storage`: where clients are sent for blobs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redirect {
    /// `baseurl`: what stands before the path of a blob in the storage.
    pub base: RemoteUrl,
    /// `cloudfront`: URLs that are signed, and expire.
    pub signing: Option<CloudFront>,
}

/// What `cloudfront` signs URLs with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CloudFront {
    /// `privatekey`: the file of an RSA key in PEM.
    pub private_key: PathBuf,
    /// `keypairid`: what `CloudFront` calls it.
    pub key_pair_id: String,
    /// `duration`: how long a URL holds; 20 m when unset.
    pub duration: Duration,
}

/// Reads the one that is not disabled; none too where redirects are disabled as such.
pub(super) fn read(root: &Node, findings: &mut Findings) -> Option<Redirect> {
    let is_disabled = |item: &Node| {
        let disabled = item.find("disabled").and_then(Node::text).and_then(scalar::boolean);
        item.is_null() || disabled == Some(true)
    };
    let items = root.find(LIST).map(Node::items).unwrap_or_default();
    let mut active = items.iter().filter(|item| !is_disabled(item));
    let item = active.next()?;
    if let Some(second) = active.next() {
        findings.problem(LIST, second, "two that redirect", Some("disable all but one"));
        return None;
    }
    one(item, findings).filter(|_| !is_disabled_as_such(root))
}

/// How long the URLs of a bucket hold; none where clients are not sent there.
pub(super) fn bucket_urls(root: &Node) -> Option<Duration> {
    let delay = read::span(root, "storage.redirect.expirydelay").filter(|delay| !delay.is_zero());
    let holds = delay.unwrap_or(DURATION).min(LONGEST);
    (!is_disabled_as_such(root)).then_some(holds)
}

fn is_disabled_as_such(root: &Node) -> bool {
    let disable = root.find("storage.redirect.disable").and_then(Node::text);
    disable.and_then(scalar::boolean) == Some(true)
}

fn one(item: &Node, findings: &mut Findings) -> Option<Redirect> {
    let name = item.find("name").and_then(Node::text).unwrap_or_default();
    match name {
        "redirect" => {
            options(item, name, &["baseurl"], &[], findings);
            Some(Redirect { base: base(item, "", findings)?, signing: None })
        }
        "cloudfront" => {
            let known = ["baseurl", "privatekey", "keypairid", "duration", "ipfilteredby"];
            // They belong to a filter that is refused.
            let idle = ["awsregion", "updatefrequency", "iprangesurl"];
            options(item, name, &known, &idle, findings);
            let base = base(item, "https://", findings);
            let signing = cloudfront(item, findings);
            Some(Redirect { base: base?, signing: Some(signing?) })
        }
        "rewrite" => {
            let message = "`rewrite` changes the URLs of a driver, and this one has none";
            findings.problem(LIST, item, message, Some("use `redirect` with a `baseurl`"));
            None
        }
        "googlecdn" => {
            let message = "`googlecdn` stands before Google's storage only";
            findings.problem(LIST, item, message, Some("use `redirect` with a `baseurl`"));
            None
        }
        name => {
            let message = format!("`{}` is no middleware of the storage", name.escape_debug());
            let advice = Some("there are `redirect` and `cloudfront`");
            findings.problem(LIST, item, message, advice);
            None
        }
    }
}

/// Names the options that do nothing.
fn options(item: &Node, name: &str, known: &[&str], idle: &[&str], findings: &mut Findings) {
    for entry in item.find("options").map(Node::entries).unwrap_or_default() {
        let key = entry.key.as_str();
        if known.contains(&key) {
            continue;
        }
        let message = match nearest(key, known.iter().copied()) {
            _ if idle.contains(&key) => "no effect without `ipfilteredby`".to_owned(),
            Some(near) => format!("unknown option of `{name}`, ignored; did you mean `{near}`?"),
            None => format!("unknown option of `{name}`, ignored"),
        };
        findings.warning(&keys::join("middleware.storage[].options", key), &entry.node, message);
    }
}

fn option<'a>(item: &'a Node, name: &str) -> Option<&'a str> {
    item.find("options")?.find(name)?.text().filter(|text| !text.is_empty())
}

fn required<'a>(item: &'a Node, name: &str, findings: &mut Findings) -> Option<&'a str> {
    let found = option(item, name);
    if found.is_none() {
        let path = keys::join("middleware.storage[].options", name);
        findings.problem(&path, item, "missing", Some("the middleware cannot do without it"));
    }
    found
}

fn base(item: &Node, scheme: &str, findings: &mut Findings) -> Option<RemoteUrl> {
    let text = required(item, "baseurl", findings)?;
    let scheme = if text.contains("://") { "" } else { scheme };
    match proxy::parse(&format!("{scheme}{text}")) {
        Ok(url) => Some(url),
        Err(message) => {
            let path = "middleware.storage[].options.baseurl";
            findings.problem(path, item, message, Some("write `https://cdn.example.com`"));
            None
        }
    }
}

fn cloudfront(item: &Node, findings: &mut Findings) -> Option<CloudFront> {
    if let Some(filter) = option(item, "ipfilteredby").filter(|text| *text != "none") {
        let path = "middleware.storage[].options.ipfilteredby";
        let message = format!(
            "`{}` sends clients inside AWS to S3, and the storage is not there",
            filter.escape_debug()
        );
        findings.problem(path, item, message, Some("write `none`"));
    }
    let private_key = required(item, "privatekey", findings).map(PathBuf::from);
    let key_pair_id = required(item, "keypairid", findings).map(str::to_owned);
    let word = |text: &String| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if key_pair_id.as_ref().is_some_and(|id| !word(id)) {
        let path = "middleware.storage[].options.keypairid";
        findings.problem(path, item, "must be letters and digits", None);
    }
    let holds = span(item, findings);
    Some(CloudFront { private_key: private_key?, key_pair_id: key_pair_id?, duration: holds })
}

fn span(item: &Node, findings: &mut Findings) -> Duration {
    let Some(text) = option(item, "duration") else { return DURATION };
    let parsed = duration::parse(text).ok().filter(|duration| *duration >= Duration::from_secs(1));
    parsed.unwrap_or_else(|| {
        let path = "middleware.storage[].options.duration";
        let advice = Some("write a number with its unit: `20m`");
        findings.problem(path, item, "must be a duration of a second or more", advice);
        DURATION
    })
}
