//! `notifications` and `regctl.notifications`: who is told of what happens, and where events wait.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::{
    check::Findings,
    duration, keys, read, scalar,
    tree::{Node, Value},
    web_url::WebUrl,
};

const ENDPOINTS: &str = "notifications.endpoints";
const OWN: &str = "regctl.notifications";

/// As Distribution, for one request.
const TIMEOUT: Duration = Duration::from_secs(1);

/// As Distribution, between two requests for one event.
const BACKOFF: Duration = Duration::from_secs(1);

/// As Distribution: failures in a row before the first pause.
const THRESHOLD: u32 = 10;

/// The longest name of an endpoint: with every byte escaped it is still the name of a folder.
const NAME_BYTES: usize = 80;

/// `notifications`, and what Distribution cannot say of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notifications {
    /// `notifications.events.includereferences`: list what a manifest refers to.
    pub include_references: bool,
    /// `regctl.notifications.format`: the media type that is claimed.
    pub format: EventFormat,
    /// Those that are not disabled.
    pub endpoints: Vec<Endpoint>,
    /// Where events wait, and how long.
    pub queue: Queue,
}

/// What the document that is sent is called; nothing else differs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventFormat {
    /// As Distribution 2.8 says, and GitLab takes.
    V1,
    /// As Distribution 3 says.
    V2,
}

/// Somebody who is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// Its name in logs and commands, and that of its queue.
    pub name: EndpointName,
    /// Where events are sent.
    pub url: WebUrl,
    /// Sent along; `Debug` shows no value.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// For one request.
    pub timeout: Duration,
    /// Failures in a row before the first pause.
    pub threshold: u32,
    /// The first pause; each further one is twice as long.
    pub backoff: Duration,
    /// After how many further attempts an event is given up; none: when it is too old.
    pub max_retries: Option<u32>,
    /// `ignoredmediatypes` and `ignore.mediatypes`: what is not told of.
    pub ignored_media_types: BTreeSet<String>,
    /// `ignore.actions`.
    pub ignored_actions: BTreeSet<EventAction>,
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventAction {
    /// Something was read, or asked after with success.
    Pull,
    /// Something was stored.
    Push,
    /// A blob of another repository became one of this one.
    Mount,
    /// Something was taken out of a repository.
    Delete,
}

/// The name of an endpoint: not empty, in one line, and not too long for the name of a folder.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct EndpointName(String);

/// A text is no name of an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a name has from 1 to {NAME_BYTES} bytes in one line")]
pub struct NotAName;

/// `regctl.notifications`: where events wait until they are delivered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Queue {
    /// None: in memory, so that they are gone with the process.
    pub folder: Option<PathBuf>,
    /// The most that wait for one endpoint.
    pub max_bytes: u64,
    /// The most that wait for one endpoint.
    pub max_events: u64,
    /// How long an event is tried for.
    pub max_age: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            folder: None,
            max_bytes: 64 * 1024 * 1024,
            max_events: 100_000,
            max_age: Duration::from_secs(24 * 3600),
        }
    }
}

impl EventAction {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Pull, Self::Push, Self::Mount, Self::Delete];

    /// The word in an event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Mount => "mount",
            Self::Delete => "delete",
        }
    }
}

impl FromStr for EndpointName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let fits = (1..=NAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAName) }
    }
}

impl EndpointName {
    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a folder that no other name has.
    pub(crate) fn folder_in(&self, above: &Path) -> PathBuf {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let escape = |byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02x}"),
        };
        above.join(self.0.bytes().map(escape).collect::<String>())
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads both sections.
pub(super) fn read(root: &Node, findings: &mut Findings) -> Notifications {
    let endpoints = endpoints(root, findings);
    let queue = queue(root, findings);
    if queue.folder.is_none() && !endpoints.is_empty() {
        let absent = Node::null(Default::default());
        let message = "not set: events wait in memory, and are lost when the process ends";
        findings.warning(&keys::join(OWN, "folder"), &absent, message);
    }
    let include = root.find("notifications.events.includereferences").and_then(boolean);
    let format = root.find(&keys::join(OWN, "format")).and_then(Node::text);
    Notifications {
        include_references: include.unwrap_or(false),
        format: match format.is_some_and(|format| format.eq_ignore_ascii_case("v2")) {
            true => EventFormat::V2,
            false => EventFormat::V1,
        },
        endpoints,
        queue,
    }
}

fn queue(root: &Node, findings: &mut Findings) -> Queue {
    let default = Queue::default();
    let mut count = |name: &str, default: u64| {
        let path = keys::join(OWN, name);
        let Some(node) = root.find(&path) else { return default };
        let Some(number) = node.text().and_then(scalar::integer) else { return default };
        match u64::try_from(number) {
            Ok(number @ 1..) => number,
            Ok(0) | Err(_) => {
                findings.problem(&path, node, "must be at least 1", None);
                default
            }
        }
    };
    let folder = root.find(&keys::join(OWN, "folder")).and_then(Node::text);
    Queue {
        folder: folder.filter(|folder| !folder.is_empty()).map(PathBuf::from),
        max_bytes: count("maxbytes", default.max_bytes),
        max_events: count("maxevents", default.max_events),
        max_age: root
            .find(&keys::join(OWN, "maxage"))
            .and_then(span)
            .filter(|age| !age.is_zero())
            .unwrap_or(default.max_age),
    }
}

fn endpoints(root: &Node, findings: &mut Findings) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for item in root.find(ENDPOINTS).map_or(&[][..], Node::items) {
        let disabled = item.find("disabled").and_then(boolean).unwrap_or(false);
        if disabled || item.is_null() {
            continue;
        }
        let Some(endpoint) = endpoint(item, findings) else { continue };
        if endpoints.iter().any(|other| other.name == endpoint.name) {
            let node = item.find("name").unwrap_or(item);
            let advice = Some("give each endpoint a name of its own: its queue has that name");
            findings.problem(&at("name"), node, "two endpoints have one name", advice);
            continue;
        }
        endpoints.push(endpoint);
    }
    endpoints
}

fn at(name: &str) -> String {
    format!("{ENDPOINTS}[].{name}")
}

fn endpoint(item: &Node, findings: &mut Findings) -> Option<Endpoint> {
    let name = parsed(item, "name", findings);
    let url = parsed(item, "url", findings);
    let headers = match item.find("headers") {
        Some(node) => read::header_map(&at("headers"), node, findings),
        None => Vec::new(),
    };
    let max_retries = number(item, "maxretries");
    // Whoever counts attempts wants time to pass between them.
    let threshold = if max_retries.is_some() { 1 } else { THRESHOLD };
    let positive = |name: &str| item.find(name).and_then(span).filter(|span| !span.is_zero());
    Some(Endpoint {
        headers: headers.into_iter().map(hidden).collect(),
        timeout: positive("timeout").unwrap_or(TIMEOUT),
        threshold: number(item, "threshold").filter(|count| *count > 0).unwrap_or(threshold),
        backoff: positive("backoff").unwrap_or(BACKOFF),
        max_retries,
        ignored_media_types: ["ignoredmediatypes", "ignore.mediatypes"]
            .into_iter()
            .flat_map(|name| texts(item, name))
            .map(|(_, text)| text.to_owned())
            .collect(),
        ignored_actions: ignored_actions(item, findings),
        name: name?,
        url: url?,
    })
}

/// A value whose `Debug` shows nothing of it.
fn hidden((name, mut value): (HeaderName, HeaderValue)) -> (HeaderName, HeaderValue) {
    value.set_sensitive(true);
    (name, value)
}

fn parsed<T: FromStr<Err: fmt::Display>>(
    item: &Node,
    name: &str,
    findings: &mut Findings,
) -> Option<T> {
    let Some(node) = item.find(name) else {
        let nowhere = Node::null(item.origin.clone());
        findings.problem(&at(name), &nowhere, "missing", Some("each endpoint needs one"));
        return None;
    };
    // A map or a list has been reported for what it is.
    let parsed = node.text()?.parse();
    parsed.map_err(|error: T::Err| findings.problem(&at(name), node, error.to_string(), None)).ok()
}

fn ignored_actions(item: &Node, findings: &mut Findings) -> BTreeSet<EventAction> {
    let mut actions = BTreeSet::new();
    for (node, text) in texts(item, "ignore.actions") {
        match EventAction::ALL.into_iter().find(|action| action.as_str() == text) {
            Some(action) => _ = actions.insert(action),
            None => {
                let known = EventAction::ALL.map(EventAction::as_str).join(", ");
                let message = format!("ignored: the actions are {known}");
                findings.warning(&at("ignore.actions"), node, message);
            }
        }
    }
    actions
}

fn texts<'a>(item: &'a Node, name: &str) -> impl Iterator<Item = (&'a Node, &'a str)> {
    let list = item.find(name).map_or(&[][..], |node| match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Scalar { .. } | Value::Map(_) => &[],
    });
    list.iter().filter_map(|node| Some((node, node.text()?)))
}

fn number(item: &Node, name: &str) -> Option<u32> {
    let number = item.find(name)?.text().and_then(scalar::integer)?;
    u32::try_from(number).ok()
}

fn boolean(node: &Node) -> Option<bool> {
    scalar::boolean(node.text()?)
}

fn span(node: &Node) -> Option<Duration> {
    let text = node.text()?;
    let nanoseconds = scalar::integer(text).and_then(|count| u64::try_from(count).ok());
    nanoseconds.map(Duration::from_nanos).or_else(|| duration::parse(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const ALL: &str = "
version: 0.1
storage: inmemory
http: {addr: '127.0.0.1:0', secret: x}
notifications:
  events: {includereferences: yes}
  endpoints:
  - name: one/two
    url: https://user:hunter2@hooks.example.com/a?token=hunter3
    headers: {Authorization: [Bearer hunter4], X-A: [b, c]}
    timeout: 500ms
    maxretries: 5
    backoff: 2s
    ignoredmediatypes: [application/octet-stream]
    ignore: {mediatypes: [a/b], actions: [pull, sing]}
  - {name: off, disabled: true}
regctl:
  notifications: {folder: /srv/events, maxbytes: 1000, maxevents: 10, maxage: 1h, format: v2}
";

    fn read(text: &str) -> (Notifications, Vec<String>) {
        let parsed = Config::parse(text, &[]).unwrap_or_else(|invalid| panic!("{invalid}"));
        let warnings = parsed.warnings.iter().map(ToString::to_string).collect();
        (parsed.config.notifications, warnings)
    }

    #[test]
    fn every_key_is_read() {
        let (found, warnings) = read(ALL);
        assert!(found.include_references);
        assert_eq!(found.format, EventFormat::V2);
        let [endpoint] = found.endpoints.as_slice() else { panic!("{found:?}") };
        assert_eq!(endpoint.name.as_str(), "one/two");
        assert_eq!(endpoint.headers.len(), 3);
        assert_eq!(endpoint.timeout, Duration::from_millis(500));
        assert_eq!((endpoint.max_retries, endpoint.threshold), (Some(5), 1));
        assert_eq!(endpoint.backoff, Duration::from_secs(2));
        assert_eq!(endpoint.ignored_media_types.len(), 2);
        assert_eq!(endpoint.ignored_actions, BTreeSet::from([EventAction::Pull]));
        assert_eq!(found.queue.folder.as_deref(), Some(Path::new("/srv/events")));
        assert_eq!((found.queue.max_bytes, found.queue.max_events), (1000, 10));
        assert_eq!(found.queue.max_age, Duration::from_secs(3600));
        assert!(warnings.iter().any(|warning| warning.contains("the actions are")), "{warnings:?}");
    }

    #[test]
    fn nothing_that_may_be_secret_is_shown() {
        let (found, _) = read(ALL);
        assert!(!format!("{found:?}").contains("hunter"), "{found:?}");
        assert_eq!(found.endpoints[0].url.to_string(), "https://hooks.example.com/a");
    }

    #[test]
    fn what_is_not_said_is_as_distribution_has_it() {
        let lines = "{name: a, url: 'http://127.0.0.1/', timeout: 0, threshold: -1, backoff: 0s}";
        let text = ALL.split("notifications:").next().unwrap();
        let (found, warnings) = read(&format!("{text}notifications: {{endpoints: [{lines}]}}"));
        let [endpoint] = found.endpoints.as_slice() else { panic!("{found:?}") };
        assert_eq!((endpoint.timeout, endpoint.backoff), (TIMEOUT, BACKOFF));
        assert_eq!((endpoint.threshold, endpoint.max_retries), (THRESHOLD, None));
        assert_eq!(found.format, EventFormat::V1);
        assert!(warnings.iter().any(|warning| warning.contains("wait in memory")), "{warnings:?}");
    }

    #[test]
    fn what_cannot_be_told_apart_or_reached_is_refused() {
        let text = ALL.split("notifications:").next().unwrap();
        for (endpoints, problem) in [
            ("[{url: 'http://a/'}]", "missing"),
            ("[{name: a}]", "missing"),
            ("[{name: a, url: 'ftp://a/'}]", "begins with http"),
            ("[{name: a, url: 'http://a/'}, {name: a, url: 'http://b/'}]", "two endpoints"),
            ("[{name: a, url: 'http://a/', headers: {'a b': [c]}}]", "no name of a header"),
        ] {
            let text = format!("{text}notifications: {{endpoints: {endpoints}}}");
            let invalid = Config::parse(&text, &[]).map(|_| ()).unwrap_err().to_string();
            assert!(invalid.contains(problem), "{endpoints}: {invalid}");
        }
    }

    #[test]
    fn names_become_folders_that_lead_nowhere_else() {
        let folder = |name: &str| {
            let name: EndpointName = name.parse().unwrap();
            name.folder_in(Path::new("/q")).display().to_string()
        };
        assert_eq!(folder("a-b_C1"), "/q/a-b_C1");
        assert_eq!(folder("../x"), "/q/%2e%2e%2fx");
        assert_eq!(folder("."), "/q/%2e");
        assert_ne!(folder("a%2e"), folder("a."));
    }
}
