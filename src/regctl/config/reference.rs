//! The complete reference, made from the key table: what `show-config --defaults` and instance.toml(5) say.

use serde::Serialize;

use super::{
    table::{self, Change, Key, Kind, Section, Support},
    tables,
};

/// One table of the file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TableReference {
    /// `registry.nginx`; empty for the keys above the first header.
    pub(crate) table: &'static str,
    pub(crate) doc: &'static str,
    /// What `gitlab.rb` calls it.
    pub(crate) gitlab: Option<&'static str>,
    #[serde(flatten)]
    pub(crate) support: SupportReference,
    pub(crate) keys: Vec<KeyReference>,
}

/// One key.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeyReference {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) gitlab: Option<String>,
    /// What it takes, in words.
    pub(crate) takes: String,
    /// As TOML; none: unset, or derived from other settings.
    pub(crate) default: Option<&'static str>,
    /// Whether a change restarts a service.
    pub(crate) restarts: bool,
    #[serde(flatten)]
    pub(crate) support: SupportReference,
}

/// Whether a key or a table can be set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "support", content = "reason", rename_all = "snake_case")]
pub(crate) enum SupportReference {
    Yes,
    /// Only the default so far.
    DefaultOnly,
    NotYet,
    Refused(&'static str),
}

/// Returns every table with its keys, the top of the file first.
pub(crate) fn reference() -> Vec<TableReference> {
    table::sections().map(table_reference).collect()
}

fn table_reference(section: &'static Section) -> TableReference {
    TableReference {
        table: section.path,
        doc: section.doc,
        gitlab: section.gitlab,
        support: support(section.support),
        keys: section.keys.iter().map(|key| key_reference(section, key)).collect(),
    }
}

fn key_reference(section: &Section, key: &'static Key) -> KeyReference {
    KeyReference {
        name: key.name,
        doc: key.doc,
        gitlab: section.gitlab_name(key.name),
        takes: takes(key.kind),
        default: key.default,
        restarts: key.change == Change::Restart,
        support: support(key.support),
    }
}

fn support(support: Support) -> SupportReference {
    match support {
        Support::Yes => SupportReference::Yes,
        Support::Only(_) => SupportReference::DefaultOnly,
        Support::NotYet => SupportReference::NotYet,
        Support::Refused(reason) => SupportReference::Refused(reason),
    }
}

/// Says what a kind takes.
fn takes(kind: Kind) -> String {
    let text = match kind {
        Kind::Choices(words) => return format!("a list of {}", words.join(", ")),
        Kind::Choice(words) => return format!("one of {}", words.join(", ")),
        Kind::Count(least) => return format!("a whole number of at least {least}"),
        Kind::Text => "text on one line",
        Kind::Label => "visible ASCII on one line",
        Kind::Secret => "a secret of at least 16 characters",
        Kind::Password => "a password of any length",
        Kind::Flag => "true or false",
        Kind::Schedule => "five fields as in a crontab, or `@weekly` and the like",
        Kind::Cadence => "1d, 7d, 14d, 1month, 3month, or five fields as in a crontab",
        Kind::Pattern => "an RE2 expression that matches whole names",
        Kind::Globs => "a list of names with `*`, `**` and `?`",
        Kind::Duration => "a duration such as \"30s\", \"1h30m\" or \"7d\"",
        Kind::Size => "a size in bytes, or such as \"25MB\" or \"25MiB\"",
        Kind::Port => "a port from 1 to 65535",
        Kind::Directive => "text for nginx",
        Kind::Directives => "texts for nginx",
        Kind::Lines => "lines for nginx",
        Kind::Hosts => "a list of addresses",
        Kind::Networks => "a list of addresses and networks",
        Kind::Account => "the name of an account or a group",
        Kind::Id => "an id from 1 to 4294967294",
        Kind::Pem => "a certificate in PEM",
        Kind::SecretPem => "a private key in PEM",
        Kind::Fields => "a table of names and values",
        Kind::Address => "HOST:PORT",
        Kind::Url => "http://HOST[:PORT] or https://HOST[:PORT]",
        Kind::WebUrl => "http:// or https://HOST[:PORT][/PATH]",
        Kind::Path => "a path; a relative one is under the root",
        Kind::PathOrUrl => "a path, or a URL that begins with http:// or https://",
        Kind::Prefix => "a path on the web that starts with a slash",
        Kind::List => "a list of texts",
        Kind::Environment => "a table of variables: texts, booleans or integers",
        Kind::Headers => "a table of headers, each a text or a list of texts",
        Kind::Notifications => {
            "tables of name, url, timeout, maxretries, backoff, headers, ignoredmediatypes and ignore"
        }
        Kind::Tables(parts) => return format!("tables of {}", tables::names(parts)),
        Kind::Record(parts) => return format!("a table of {}", tables::names(parts)),
        Kind::Between(least, most) => return format!("a whole number from {least} to {most}"),
        Kind::Status => "a status from 100 to 999",
        Kind::Endpoint => "http:// or https://, with whatever a URL has",
        Kind::Table => "a table",
    };
    text.to_owned()
}
