//! Stage three, second half: what the tree says, typed.
//!
//! The kinds have been checked by then: a value that is not of its kind has been reported, and
//! reads as absent here.

use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

use http::{HeaderName, HeaderValue};

use super::{
    AccessFormat, Address, Config, ExternalHost, Formatter, Http, Level, Log, LogOutput, Secret,
    Storage, UploadPurging,
    address::Wrong,
    auth,
    check::Findings,
    compatibility, debug, driver, duration, health, immutable, keys, notifications, proxy, quota,
    redirect, redis, scalar, sendfile, tls,
    tree::{Node, Value},
    validation,
};

/// The size of a page when none is set.
const PAGE: usize = 1000;

/// What a client was told holds for so long when nothing is set: longer than most pushes take.
const LEASE: Duration = Duration::from_secs(3600);

/// Headers that frame an answer: another value breaks it. Of all others an answer's own is the one that counts.
const SAID_BY_EACH_ANSWER: [&str; 8] = [
    "Connection",
    "Content-Length",
    "Content-Range",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

/// Reads everything; none when there is no driver to speak of, which has been reported.
pub(super) fn config(root: &Node, findings: &mut Findings) -> Option<Config> {
    version(root, findings);
    let auth = auth::read(root, findings);
    let log = log(root, findings);
    let storage = storage(root, findings);
    let http = http(root, findings);
    let notifications = notifications::read(root, findings);
    let health = health::read(root, findings);
    let lease = lease(root, storage.as_ref(), findings);
    let catalog_max_entries = page(root, "catalog.maxentries", findings);
    let tags_max = page(root, "tags.maxtags", findings);
    Some(Config {
        log,
        storage: storage?,
        auth,
        http,
        notifications,
        health,
        catalog_max_entries,
        tags_max,
        schema1: compatibility::read(root),
        lease,
        validation: validation::read(root, findings),
        quotas: quota::read(root, findings),
        immutable_tags: immutable::read(root, findings),
        sendfile: sendfile::read(root, findings),
        proxy: proxy::read(root, findings),
        redis: redis::read(root, findings),
    })
}

/// Who was sent elsewhere for a blob comes there while the URL holds: so long it must be there.
fn lease(root: &Node, storage: Option<&Storage>, findings: &mut Findings) -> Duration {
    let redirect = storage.and_then(|storage| storage.redirect.as_ref()?.signing.as_ref());
    let bucket = storage.and_then(|storage| storage.bucket_urls);
    let holds = redirect.map(|signing| signing.duration).or(bucket).unwrap_or_default();
    let Some(set) = span(root, "regctl.lease") else { return LEASE.max(holds) };
    if let Some(node) = root.find("regctl.lease").filter(|_| set < holds) {
        let message =
            "shorter than the URLs hold to which clients are sent; taken as long as they do";
        findings.warning("regctl.lease", node, message);
    }
    set.max(holds)
}

pub(super) fn text<'a>(root: &'a Node, path: &str) -> Option<&'a str> {
    root.find(path)?.text().filter(|text| !text.is_empty())
}

pub(super) fn boolean(root: &Node, path: &str) -> Option<bool> {
    scalar::boolean(text(root, path)?)
}

pub(super) fn span(root: &Node, path: &str) -> Option<Duration> {
    let text = text(root, path)?;
    let nanoseconds = scalar::integer(text).and_then(|count| u64::try_from(count).ok());
    nanoseconds.map(Duration::from_nanos).or_else(|| duration::parse(text).ok())
}

fn version(root: &Node, findings: &mut Findings) {
    let advice = Some("begin the file with `version: 0.1`");
    match root.find("version") {
        Some(node) if node.text() == Some("0.1") => {}
        Some(node) => findings.problem("version", node, "the only version is 0.1", advice),
        None => findings.problem("version", &Node::null(Default::default()), "missing", advice),
    }
}

fn page(root: &Node, path: &str, findings: &mut Findings) -> usize {
    let Some(node) = root.find(path) else { return PAGE };
    let Some(entries) = node.text().and_then(scalar::integer) else { return PAGE };
    match usize::try_from(entries) {
        Ok(entries @ 1..) => entries,
        Ok(0) | Err(_) => {
            findings.warning(path, node, format!("less than 1 is the default, {PAGE}"));
            PAGE
        }
    }
}

fn log(root: &Node, findings: &mut Findings) -> Log {
    let formatter = match text(root, "log.formatter").map(str::to_lowercase).as_deref() {
        Some("json") => Formatter::Json,
        Some("logstash") => Formatter::Logstash,
        Some(_) | None => Formatter::Text,
    };
    Log {
        level: level(root, findings),
        formatter,
        output: match text(root, "log.output").map(str::to_lowercase).as_deref() {
            Some("stdout") => LogOutput::Stdout,
            Some(_) | None => LogOutput::Stderr,
        },
        report_caller: boolean(root, "log.reportcaller").unwrap_or(false),
        fields: fields(root, findings),
        access_log: !boolean(root, "log.accesslog.disabled").unwrap_or(false),
        access_format: match text(root, "log.accesslog.formatter") {
            Some(name) if name.eq_ignore_ascii_case("json") => AccessFormat::Json,
            Some(_) | None => AccessFormat::Combined,
        },
    }
}

fn level(root: &Node, findings: &mut Findings) -> Level {
    if let Some(node) = root.find("loglevel") {
        findings.warning("loglevel", node, "deprecated: use `log.level`");
    }
    let path = if text(root, "log.level").is_some() { "log.level" } else { "loglevel" };
    let Some((node, text)) = root.find(path).zip(text(root, path)) else { return Level::Info };
    let (level, exact) = match text.to_lowercase().as_str() {
        "error" => (Level::Error, true),
        "warn" => (Level::Warn, true),
        "info" => (Level::Info, true),
        "debug" => (Level::Debug, true),
        "warning" => (Level::Warn, false),
        "trace" => (Level::Debug, false),
        "fatal" | "panic" => (Level::Error, false),
        _ => {
            findings.problem(path, node, "must be one of error, warn, info, debug", None);
            return Level::Info;
        }
    };
    if !exact {
        let meant = format!("{level:?}").to_lowercase();
        findings.warning(path, node, format!("not a level of Distribution; taken as {meant}"));
    }
    level
}

fn fields(root: &Node, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let Some(node) = root.find("log.fields") else { return fields };
    if !matches!(node.value, Value::Map(_)) {
        findings.problem("log.fields", node, "must be a map of names to values", None);
    }
    for entry in node.entries() {
        match &entry.node.value {
            Value::Scalar { .. } => {
                let text = entry.node.text().unwrap_or_default();
                fields.insert(entry.key.clone(), text.to_owned());
            }
            Value::List(_) | Value::Map(_) => {
                let path = keys::join("log.fields", &entry.key);
                findings.problem(&path, &entry.node, "must be a single value", None);
            }
        }
    }
    fields
}

fn storage(root: &Node, findings: &mut Findings) -> Option<Storage> {
    let driver = driver::read(root, findings);
    let purging = "storage.maintenance.uploadpurging";
    let at = |name: &str| keys::join(purging, name);
    let upload_purging = UploadPurging {
        enabled: boolean(root, &at("enabled")).unwrap_or(true),
        age: span(root, &at("age")).unwrap_or(Duration::from_secs(168 * 3600)),
        interval: span(root, &at("interval")).unwrap_or(Duration::from_secs(24 * 3600)),
        dry_run: boolean(root, &at("dryrun")).unwrap_or(false),
    };
    let driver = driver?;
    let redirect = redirect::read(root, findings);
    let bucket_urls = match (&driver, &redirect) {
        (storage::Config::S3(_), None) => redirect::bucket_urls(root),
        _ => None,
    };
    Some(Storage {
        driver,
        delete: boolean(root, "storage.delete.enabled").unwrap_or(false),
        tag_reads: tag_reads(root, findings),
        read_only: boolean(root, "storage.maintenance.readonly.enabled").unwrap_or(false),
        upload_purging,
        redirect,
        bucket_urls,
    })
}

/// As 3, where 0 leaves the number to the registry.
fn tag_reads(root: &Node, findings: &mut Findings) -> Option<NonZeroUsize> {
    const PATH: &str = "storage.tag.concurrencylimit";
    let node = root.find(PATH)?;
    let wanted = node.text().and_then(scalar::integer)?;
    match u16::try_from(wanted) {
        Ok(wanted) => NonZeroUsize::new(wanted.into()),
        Err(_) => {
            findings.problem(PATH, node, "must be a number from 0 to 65535", None);
            None
        }
    }
}

fn http(root: &Node, findings: &mut Findings) -> Http {
    Http {
        address: address(root, findings),
        prefix: prefix(root, findings),
        host: host(root, findings),
        secret: secret(root, findings),
        relative_urls: boolean(root, "http.relativeurls").unwrap_or(false),
        drain_timeout: span(root, "http.draintimeout").unwrap_or_default(),
        headers: headers(root, findings),
        debug: debug::read(root, findings),
        connections: connections(root, findings),
        tls: tls::read(root, "http.tls", findings),
        http2: !boolean(root, "http.http2.disabled").unwrap_or(false),
        h2c: boolean(root, "http.h2c.enabled").unwrap_or(false),
    }
}

fn connections(root: &Node, findings: &mut Findings) -> Option<u32> {
    let path = "regctl.http.maxconnections";
    let node = root.find(path)?;
    let count = scalar::integer(node.text()?)?;
    let count = u32::try_from(count).ok().filter(|count| *count > 0);
    if count.is_none() {
        findings.problem(path, node, "must be a number from 1 to 4294967295", None);
    }
    count
}

fn address(root: &Node, findings: &mut Findings) -> Address {
    let path = "http.addr";
    let unix = text(root, "http.net").is_some_and(|net| net.eq_ignore_ascii_case("unix"));
    let absent = Node::null(Default::default());
    let node = root.find(path).unwrap_or(&absent);
    let parsed = match (text(root, path), unix) {
        (None, false) if node.is_empty() => {
            let message = "not set: listening on every interface, on a random port";
            findings.warning(path, node, message);
            return Address::ANY;
        }
        (address, false) => Address::tcp(address.unwrap_or_default()),
        (address, true) => Address::unix(address.unwrap_or_default()),
    };
    parsed.unwrap_or_else(|wrong| {
        report(path, node, wrong, findings);
        Address::ANY
    })
}

fn report(path: &str, node: &Node, wrong: Wrong, findings: &mut Findings) {
    // A map or a list has been reported for what it is.
    if node.text().is_some() || node.is_null() {
        findings.problem(path, node, wrong.message, wrong.advice.as_deref());
    }
}

fn prefix(root: &Node, findings: &mut Findings) -> String {
    let path = "http.prefix";
    let Some((node, text)) = root.find(path).zip(text(root, path)) else { return "/".to_owned() };
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let dots = text.split('/').any(|part| part == "." || part == "..");
    if !text.bytes().all(fine) || dots || text.contains("//") {
        let advice = Some("write `/registry/`");
        findings.problem(path, node, "must be the beginning of a path", advice);
    }
    if !text.starts_with('/') {
        findings.warning(path, node, "taken as if it began with a slash");
    }
    match text.trim_matches('/') {
        "" => "/".to_owned(),
        name => format!("/{name}/"),
    }
}

fn host(root: &Node, findings: &mut Findings) -> Option<ExternalHost> {
    let path = "http.host";
    let (node, text) = root.find(path).zip(text(root, path))?;
    match ExternalHost::parse(text) {
        Ok(host) => Some(host),
        Err(wrong) => {
            // What stands before an @ may be a password.
            let shown = if text.contains('@') { &Node::null(node.origin.clone()) } else { node };
            report(path, shown, wrong, findings);
            None
        }
    }
}

fn secret(root: &Node, findings: &mut Findings) -> Option<Secret> {
    let secret = text(root, "http.secret").map(Secret::new);
    if secret.is_none() {
        let message = "not set: a random one is used, so uploads cannot be resumed after a restart \
                       or on another node";
        findings.warning("http.secret", &Node::null(Default::default()), message);
    }
    secret
}

fn headers(root: &Node, findings: &mut Findings) -> Vec<(HeaderName, HeaderValue)> {
    let path = "http.headers";
    let Some(node) = root.find(path) else { return Vec::new() };
    for entry in node.entries() {
        if SAID_BY_EACH_ANSWER.iter().any(|name| entry.key.eq_ignore_ascii_case(name)) {
            let message = "each answer says this of itself; another value would break it";
            findings.problem(
                &keys::join(path, &entry.key),
                &entry.node,
                message,
                Some("remove it"),
            );
        }
    }
    header_map(path, node, findings)
}

/// Headers by their names, each with a list of values.
pub(super) fn header_map(
    path: &str,
    node: &Node,
    findings: &mut Findings,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    if !matches!(node.value, Value::Map(_)) {
        findings.problem(path, node, "must be a map of names to lists of values", None);
    }
    for entry in node.entries() {
        let path = keys::join(path, &entry.key);
        let Ok(name) = entry.key.parse::<HeaderName>() else {
            let advice = Some("letters, digits and hyphens, no colon");
            findings.problem(&path, &entry.node, "no name of a header", advice);
            continue;
        };
        for value in header_values(&path, &entry.node, findings) {
            headers.push((name.clone(), value));
        }
    }
    headers
}

fn header_values(path: &str, node: &Node, findings: &mut Findings) -> Vec<HeaderValue> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Scalar { .. } if node.is_null() => &[],
        Value::Scalar { .. } => {
            findings.warning(path, node, "taken as a list of one; Distribution wants a list");
            std::slice::from_ref(node)
        }
        Value::Map(_) => {
            findings.problem(path, node, "must be a list of values", Some("write `[value]`"));
            &[]
        }
    };
    let mut values = Vec::new();
    for item in items {
        match item.text().map(HeaderValue::from_str) {
            Some(Ok(value)) => values.push(value),
            Some(Err(_)) | None => {
                findings.problem(path, item, "must be text without line breaks", None);
            }
        }
    }
    values
}
