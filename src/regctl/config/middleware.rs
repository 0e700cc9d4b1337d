//! `[registry.middleware]`: where clients are sent for blobs.

use std::{ops::Range, path::PathBuf, time::Duration};

use super::{checks::Findings, settings::Settings, tables::Record, web_url::WebUrl};

const STORAGE: &str = "registry.middleware.storage";
const CLOUDFRONT: &str = "cloudfront";

/// What sends clients elsewhere; what is unset is as the registry has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Middleware {
    pub(crate) is_disabled: bool,
    /// What stands before the path of a blob.
    pub(crate) base: WebUrl,
    /// None: the URLs are not signed.
    pub(crate) signing: Option<CloudFront>,
}

/// What URLs are signed with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CloudFront {
    pub(crate) private_key: PathBuf,
    pub(crate) key_pair_id: String,
    pub(crate) duration: Option<Duration>,
}

const REQUIRED: &str = "the checks and the key table require it";

pub(super) fn middleware(settings: &Settings) -> Vec<Middleware> {
    settings.tables_of(STORAGE).unwrap_or_default().iter().map(one).collect()
}

fn one(record: &Record) -> Middleware {
    let options = record.record("options").expect(REQUIRED);
    let signing = || CloudFront {
        private_key: options.path("privatekey").expect(REQUIRED),
        key_pair_id: options.text("keypairid").expect(REQUIRED),
        duration: options.duration("duration"),
    };
    Middleware {
        is_disabled: record.flag("disabled").unwrap_or(false),
        base: options.web_url("baseurl").expect(REQUIRED),
        signing: (record.text("name").as_deref() == Some(CLOUDFRONT)).then(signing),
    }
}

/// One at most sends clients away, and `CloudFront` takes URLs that are signed.
pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    let records = settings.tables_of(STORAGE).unwrap_or_default();
    let mut first: Option<Range<usize>> = None;
    for record in records {
        leads_somewhere(&record, findings);
        if record.text("name").as_deref() == Some(CLOUDFRONT) {
            signs(&record, findings);
        }
        if record.flag("disabled") == Some(true) {
            continue;
        }
        let Some(first) = &first else {
            first = Some(record.span);
            continue;
        };
        let line = findings.line(first);
        let message = format!("`{STORAGE}`: line {line} sends clients elsewhere already");
        findings.problem(&record.span, STORAGE, message, "write `disabled = true` in one of them");
    }
}

/// A blob's path is added to the base as it is.
fn leads_somewhere(record: &Record, findings: &mut Findings<'_>) {
    let options = record.record("options").expect(REQUIRED);
    if options.web_url("baseurl").is_some_and(|base| !base.has_plain_path()) {
        let key = format!("{STORAGE}.options.baseurl");
        let message = format!("`{key}`: must be scheme, host, port and a plain path");
        let hint = "letters, digits and `-._~` may stand between the slashes";
        findings.problem(&options.span, &key, message, hint);
    }
}

fn signs(record: &Record, findings: &mut Findings<'_>) {
    let options = record.record("options").expect(REQUIRED);
    let missing = [
        ("privatekey", options.path("privatekey").is_none()),
        ("keypairid", options.text("keypairid").is_none()),
    ];
    for (name, _) in missing.into_iter().filter(|(_, is_missing)| *is_missing) {
        let key = format!("{STORAGE}.options.{name}");
        let message = format!("`{key}` is missing: `cloudfront` signs its URLs");
        let hint = "write it, or `name = \"redirect\"` for URLs that are not signed";
        findings.problem(&options.span, &key, message, hint);
    }
    let is_word = |id: String| id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if options.text("keypairid").is_some_and(|id| !is_word(id)) {
        let key = format!("{STORAGE}.options.keypairid");
        let message = format!("`{key}`: must be letters and digits");
        findings.problem(&options.span, &key, message, "write it as CloudFront shows it");
    }
    let duration = options.duration("duration");
    if duration.is_some_and(|duration| duration < Duration::from_secs(1)) {
        let key = format!("{STORAGE}.options.duration");
        let message = format!("`{key}`: must be a second or more");
        findings.problem(&options.span, &key, message, "remove it: 20 minutes are usual");
    }
}
