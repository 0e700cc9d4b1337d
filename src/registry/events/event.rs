//! An event as it is sent: a JSON document in one line.

use std::sync::Arc;

use http::{
    HeaderName,
    header::{HOST, USER_AGENT},
    request::Parts,
};
use oci::{Descriptor, Digest, RepositoryName, Tag};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    auth::User,
    config::{Address, EventAction},
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What is told of a blob.
pub(super) const OCTETS: &str = "application/octet-stream";

/// The other end of the connection, with its port, which a request carries for its events.
#[derive(Clone, Debug)]
pub(crate) struct Peer(pub(crate) Arc<str>);

/// Something that a request did.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(crate) action: EventAction,
    pub(crate) repository: RepositoryName,
    pub(crate) what: What,
}

/// To what it was done.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Blob {
        digest: Digest,
        size: u64,
        /// Where it was mounted from.
        from: Option<RepositoryName>,
    },
    Manifest(ManifestFacts),
    /// A manifest or blob that is gone, of which nothing else is known.
    Gone(Digest),
    /// A tag that is gone.
    GoneTag(Tag),
}

/// What is told of a manifest.
#[derive(Clone, Debug)]
pub(crate) struct ManifestFacts {
    pub(crate) digest: Digest,
    pub(crate) media_type: &'static str,
    pub(crate) size: u64,
    pub(crate) tag: Option<Tag>,
    /// What it refers to; empty when nobody wants to know.
    pub(crate) references: Vec<Descriptor>,
}

/// What an event says of its request.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RequestRecord {
    id: String,
    addr: String,
    host: String,
    method: String,
    useragent: String,
}

/// Which registry says so.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Source {
    addr: String,
    #[serde(rename = "instanceID")]
    instance_id: String,
}

#[derive(Debug, Serialize)]
struct Event<'a> {
    id: String,
    timestamp: String,
    action: EventAction,
    target: Target<'a>,
    request: &'a RequestRecord,
    actor: Actor<'a>,
    source: &'a Source,
}

/// What is not known is left out, as Distribution 2.8 does.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Target<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "is_zero")]
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a Digest>,
    #[serde(skip_serializing_if = "is_zero")]
    length: u64,
    repository: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_repository: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<ReferenceRecord<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReferenceRecord<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    media_type: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    size: u64,
    digest: &'a Digest,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    urls: &'a [String],
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    annotations: &'a std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct Actor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Happened {
    /// What rules about media types go by; none of what is gone.
    pub(super) fn media_type(&self) -> Option<&'static str> {
        match &self.what {
            What::Blob { .. } => Some(OCTETS),
            What::Manifest(facts) => Some(facts.media_type),
            What::Gone(_) | What::GoneTag(_) => None,
        }
    }

    /// The event as JSON. `base` is what stands before the name in URLs.
    pub(super) fn to_json(
        &self,
        base: &str,
        request: &RequestRecord,
        user: Option<&User>,
        source: &Source,
    ) -> String {
        let event = Event {
            id: Uuid::new_v4().to_string(),
            timestamp: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            action: self.action,
            target: self.target(base),
            request,
            actor: Actor { name: user.map(User::as_str) },
            source,
        };
        serde_json::to_string(&event).expect("texts, numbers and lists are always JSON")
    }

    fn target(&self, base: &str) -> Target<'_> {
        let repository = self.repository.as_str();
        let target = Target { repository, ..Target::default() };
        match &self.what {
            What::Blob { digest, size, from } => Target {
                media_type: Some(OCTETS),
                size: *size,
                digest: Some(digest),
                length: *size,
                from_repository: from.as_ref().map(RepositoryName::as_str),
                url: Some(format!("{base}{repository}/blobs/{digest}")),
                ..target
            },
            What::Manifest(facts) => Target {
                media_type: Some(facts.media_type),
                size: facts.size,
                digest: Some(&facts.digest),
                length: facts.size,
                url: Some(format!("{base}{repository}/manifests/{}", facts.digest)),
                tag: facts.tag.as_ref().map(Tag::as_str),
                references: facts.references.iter().map(ReferenceRecord::of).collect(),
                ..target
            },
            What::Gone(digest) => Target { digest: Some(digest), ..target },
            What::GoneTag(tag) => Target { tag: Some(tag.as_str()), ..target },
        }
    }
}

impl<'a> ReferenceRecord<'a> {
    fn of(descriptor: &'a Descriptor) -> Self {
        let Descriptor { media_type, size, digest, urls, annotations, .. } = descriptor;
        Self { media_type, size: *size, digest, urls, annotations }
    }
}

impl RequestRecord {
    /// What an administrator's tool does is no request; it is told as one, by the tool's name.
    pub(super) fn of_tool(name: &str, method: &str) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            addr: String::new(),
            host: String::new(),
            method: method.to_owned(),
            useragent: name.to_owned(),
        }
    }

    pub(super) fn of(parts: &Parts) -> Self {
        let text = |name: &HeaderName| {
            let value = parts.headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let named = parts.uri.authority().map(ToString::to_string);
        Self {
            id: Uuid::new_v4().to_string(),
            addr: remote(parts),
            host: named.or_else(|| text(&HOST)).unwrap_or_default(),
            method: parts.method.to_string(),
            useragent: text(&USER_AGENT).unwrap_or_default(),
        }
    }
}

/// The client as the outermost proxy saw it, if that is an address; else who has connected.
fn remote(parts: &Parts) -> String {
    let address = |name: &HeaderName| {
        let text = parts.headers.get(name)?.to_str().ok()?;
        let first = text.split(',').next().unwrap_or(text).trim();
        first.parse::<std::net::IpAddr>().is_ok().then(|| first.to_owned())
    };
    let peer = || parts.extensions.get::<Peer>().map(|peer| peer.0.to_string());
    address(&FORWARDED_FOR).or_else(|| address(&REAL_IP)).or_else(peer).unwrap_or_default()
}

impl Source {
    /// This process, by the host's name and the port that it listens on.
    pub(super) fn this_process(address: &Address) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let addr = match address {
            Address::Tcp(address) => format!("{host}:{}", address.port()),
            Address::Unix(_) => host,
        };
        Self { addr, instance_id: Uuid::new_v4().to_string() }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("/v2/").extension(Peer("192.0.2.1:4711".into()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_client_is_whom_the_outermost_proxy_saw() {
        for (headers, addr) in [
            (&[][..], "192.0.2.1:4711"),
            (&[("x-forwarded-for", "10.1.2.3, 10.0.0.1"), ("x-real-ip", "10.9.9.9")], "10.1.2.3"),
            (&[("x-forwarded-for", "unknown"), ("x-real-ip", "10.9.9.9")], "10.9.9.9"),
            (&[("x-forwarded-for", ""), ("x-real-ip", "fe80::1")], "fe80::1"),
            (&[("x-real-ip", "\"}")], "192.0.2.1:4711"),
        ] {
            assert_eq!(RequestRecord::of(&parts(headers)).addr, addr, "{headers:?}");
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_the_client_sent() {
        let happened = Happened {
            action: EventAction::Delete,
            repository: "a/b".parse().unwrap(),
            what: What::GoneTag("t1".parse().unwrap()),
        };
        let request = RequestRecord::of(&parts(&[("user-agent", "a\tb\"c")]));
        let source = Source::this_process(&Address::Unix("/x".into()));
        let json = happened.to_json("/v2/", &request, None, &source);
        assert!(!json.contains('\n'), "{json}");
        let event: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(event["target"], serde_json::json!({ "repository": "a/b", "tag": "t1" }));
        assert_eq!(event["request"]["useragent"], "a\tb\"c");
        assert_eq!(event["actor"], serde_json::json!({}));
    }
}
