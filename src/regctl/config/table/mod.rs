//! Every key of `instance.toml`, as data.
//!
//! A [`Section`] is a table of the file, a [`Key`] a line in it. Parsing, hints and the reference are made
//! from these rows and from nothing else. A key that regctl knows and cannot act on yet is a row too: it is
//! refused by name when set, never ignored. Supporting it means flipping its row.

mod auth;
mod gitlab;
mod logging;
mod nginx;
mod outside;
mod own;
mod registry;
mod storage;

pub(super) use registry::NO_DATABASE;

/// A table of `instance.toml`.
#[derive(Debug)]
pub struct Section {
    /// `registry.storage.s3`; empty for the keys above the first header.
    pub path: &'static str,
    /// What the same table is called in `gitlab.rb`: `registry['storage']['s3']`. None: it has none.
    pub gitlab: Option<&'static str>,
    /// Its subject in a few words.
    pub doc: &'static str,
    /// Whether naming the table is possible at all.
    pub support: Support,
    /// Its plain keys; sub-tables are sections of their own.
    pub keys: &'static [Key],
}

/// One key of a table.
#[derive(Debug)]
pub struct Key {
    /// The name, as `gitlab.rb` or Distribution spells it.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The default as TOML. None: unset, or derived from other settings.
    pub default: Option<&'static str>,
    /// Its meaning in a few words.
    pub doc: &'static str,
    /// What a change takes.
    pub change: Change,
    /// Whether it can be set.
    pub support: Support,
}

/// What values a key takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Any text on one line.
    Text,
    /// Text that can stand in a header: visible ASCII.
    Label,
    /// Text that is never shown, and long enough not to be guessed.
    Secret,
    /// The same, as somebody else chose it: of any length.
    Password,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these words, each only once.
    Choices(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number of at least this.
    Count(i64),
    /// A duration with a unit, in a string.
    Duration,
    /// A size in bytes, or with a unit in a string.
    Size,
    /// A port, which may stand in quotes.
    Port,
    /// A word or a few that stand in nginx's configuration.
    Directive,
    /// One of those, or a list of them.
    Directives,
    /// Lines of a configuration.
    Lines,
    /// A list of addresses to listen on; `*` is every IPv4 address.
    Hosts,
    /// A list of addresses and networks.
    Networks,
    /// The name of an account or a group.
    Account,
    /// The id of an account or a group, not root's.
    Id,
    /// A certificate in PEM.
    Pem,
    /// A private key in PEM, which is never shown.
    SecretPem,
    /// Names to texts, booleans or integers.
    Fields,
    /// `HOST:PORT`.
    Address,
    /// `http://HOST[:PORT]`.
    Url,
    /// The same, perhaps with a path.
    WebUrl,
    /// A path; a relative one is under the root.
    Path,
    /// A path as above, or the URL of such a file.
    PathOrUrl,
    /// A path on the web that starts with a slash.
    Prefix,
    /// When something is done, as cron has it.
    Schedule,
    /// How often a cleanup policy runs.
    Cadence,
    /// An RE2 expression for whole names.
    Pattern,
    /// A list of names with wildcards.
    Globs,
    /// A list of texts.
    List,
    /// Environment variables: names to texts, booleans or integers.
    Environment,
    /// HTTP headers: names to texts or lists of texts.
    Headers,
    /// A whole number, both ends included.
    Between(i64, i64),
    /// The status of an answer.
    Status,
    /// The same as `WebUrl` with any query and user, which may be secret.
    Endpoint,
    /// Tables of these parts.
    Tables(&'static [Part]),
    /// One table of these parts.
    Record(&'static [Part]),
    /// Endpoints of notifications, a list of tables.
    Notifications,
    /// A table of its own, or a list of tables.
    Table,
}

/// What stands in a table of one shape.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    /// Its name, as Distribution spells it.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether the table means nothing without.
    pub is_required: bool,
}

impl Part {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, is_required: false }
    }

    const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, is_required: true }
    }
}

/// What a change of a key takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// The running registry takes it.
    Live,
    /// The service restarts, once, refusing no connection.
    Restart,
}

/// Whether a key or a table can be set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Support {
    /// It can.
    Yes,
    /// It can, to this value alone; the others will follow.
    Only(&'static str),
    /// It will: until then setting it is an error.
    NotYet,
    /// It cannot: the reason, and what to use instead.
    Refused(&'static str),
}

impl Section {
    const fn new(
        path: &'static str,
        gitlab: Option<&'static str>,
        doc: &'static str,
        keys: &'static [Key],
    ) -> Self {
        Self { path, gitlab, doc, support: Support::Yes, keys }
    }

    const fn not_yet(self) -> Self {
        Self { support: Support::NotYet, ..self }
    }

    const fn refused(self, reason: &'static str) -> Self {
        Self { support: Support::Refused(reason), ..self }
    }

    /// Returns the key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Returns a key's whole name: `registry.log_level`.
    pub fn path_of(&self, name: &str) -> String {
        match self.path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// Returns how `gitlab.rb` spells a key of this table.
    pub fn gitlab_name(&self, name: &str) -> Option<String> {
        self.gitlab.map(|prefix| match prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}['{name}']"),
        })
    }

    /// How messages name the table.
    pub fn title(&self) -> String {
        match self.path {
            "" => "the top of the file, above the first [table]".to_owned(),
            path => format!("[{path}]"),
        }
    }
}

impl Key {
    const fn new(
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        doc: &'static str,
    ) -> Self {
        Self { name, kind, default, doc, change: Change::Restart, support: Support::Yes }
    }

    /// A key that will be supported; its kind and default come with its support.
    const fn later(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { support: Support::NotYet, ..Self::new(name, kind, None, doc) }
    }

    const fn refused(name: &'static str, doc: &'static str, reason: &'static str) -> Self {
        Self { support: Support::Refused(reason), ..Self::new(name, Kind::Table, None, doc) }
    }

    const fn only(self, value: &'static str) -> Self {
        Self { support: Support::Only(value), ..self }
    }

    const fn live(self) -> Self {
        Self { change: Change::Live, ..self }
    }
}

/// Returns every table, the top of the file first.
pub fn sections() -> impl Iterator<Item = &'static Section> {
    const PARTS: [&[Section]; 8] = [
        registry::SECTIONS,
        outside::SECTIONS,
        auth::SECTIONS,
        storage::SECTIONS,
        nginx::SECTIONS,
        gitlab::SECTIONS,
        logging::SECTIONS,
        own::SECTIONS,
    ];
    PARTS.into_iter().flatten()
}

/// Returns the table of this path.
pub fn section(path: &str) -> Option<&'static Section> {
    sections().find(|section| section.path == path)
}

/// Returns the key with this whole name, with its table.
pub fn find(path: &str) -> Option<(&'static Section, &'static Key)> {
    let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
    let section = section(table)?;
    Some((section, section.key(name)?))
}

/// Whether tables exist below this path, whether or not it is one itself.
pub(crate) fn is_prefix(path: &str) -> bool {
    sections().any(|section| {
        section.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}
