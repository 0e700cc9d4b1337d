//! The tree of the file, walked against the key table.
//!
//! What fits becomes a setting; everything else becomes a problem, and the walk goes on.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    kind::{self, Misfit},
    nearest::nearest,
    problem::{Problem, shown},
    settings::Settings,
    source::Source,
    table::{self, Key, Kind, Section, Support},
    tables,
};
use crate::secret::{REDACTED, is_secret_header};

/// Walks the whole file.
pub(super) fn walk(source: &Source<'_>, tree: &DeTable<'_>) -> (Settings, Vec<Problem>) {
    let mut walk = Walk {
        source,
        settings: Settings::default(),
        problems: Vec::new(),
        unlisted: 0,
        first_unlisted: 0,
    };
    walk.entries(&Here { path: "", opened: None }, tree);
    if walk.unlisted > 0 {
        let message = format!("{} more problems are not listed", walk.unlisted);
        let problem = source.problem(walk.first_unlisted, "", message, None);
        walk.problems.push(problem);
    }
    (walk.settings, walk.problems)
}

/// The most problems that are listed, and names that are looked up for hints: each look compares with every key.
const LISTED_MAX: usize = 200;

struct Walk<'a> {
    source: &'a Source<'a>,
    settings: Settings,
    problems: Vec<Problem>,
    /// Problems that are not listed, and where the first of them is.
    unlisted: usize,
    first_unlisted: usize,
}

/// The table that is being walked.
struct Here<'a> {
    path: &'a str,
    /// Where it was opened; nothing for the top of the file.
    opened: Option<Range<usize>>,
}

/// One line of the file: `name = value`, with the whole name.
struct Entry<'a, 'b> {
    path: String,
    name: &'a str,
    span: Range<usize>,
    value: &'a Spanned<DeValue<'b>>,
}

impl Walk<'_> {
    fn entries(&mut self, here: &Here<'_>, tree: &DeTable<'_>) {
        for (key, value) in tree {
            let name: &str = key.get_ref();
            let path = match here.path {
                "" => name.to_owned(),
                above => format!("{above}.{name}"),
            };
            self.entry(here, &Entry { path, name, span: key.span(), value });
        }
    }

    fn entry(&mut self, here: &Here<'_>, entry: &Entry<'_, '_>) {
        if let Some((_, key)) = table::find(&entry.path) {
            return self.key(key, entry);
        }
        if !table::is_prefix(&entry.path) {
            return self.unknown(here, entry);
        }
        let section = table::section(&entry.path);
        match (section.map(|section| section.support), entry.value.get_ref()) {
            (_, DeValue::Table(tree)) => self.table(section, entry, tree),
            (Some(Support::NotYet), DeValue::Array(_)) => {
                self.problem(entry, format!("[[{}]] is not supported yet", entry.path), None);
            }
            _ => {
                let message = format!("`{}` is a table, not a key", entry.path);
                self.problem(entry, message, Some(format!("write [{}]", entry.path)));
            }
        }
    }

    fn table(&mut self, section: Option<&Section>, entry: &Entry<'_, '_>, tree: &DeTable<'_>) {
        self.settings.open(entry.path.clone(), entry.value.span());
        if let Some(section) = section {
            let says_all = tree.is_empty() || section.keys.is_empty();
            match section.support {
                Support::Refused(reason) => {
                    let message = format!("[{}] ({}) is refused", entry.path, section.doc);
                    return self.problem(entry, message, Some(reason.to_owned()));
                }
                Support::NotYet if says_all => {
                    let message =
                        format!("[{}] ({}) is not supported yet", entry.path, section.doc);
                    return self.problem(entry, message, None);
                }
                Support::NotYet | Support::Only(_) | Support::Yes => {}
            }
        }
        self.entries(&Here { path: &entry.path, opened: Some(entry.value.span()) }, tree);
    }

    fn key(&mut self, key: &Key, entry: &Entry<'_, '_>) {
        match key.support {
            Support::Yes => self.value(key, entry),
            Support::Only(word) => self.only(key, word, entry),
            Support::NotYet => {
                let message = format!("`{}` ({}) is not supported yet", entry.path, key.doc);
                self.problem(entry, message, None);
            }
            Support::Refused(reason) => {
                let message = format!("`{}` ({}) is refused", entry.path, key.doc);
                self.problem(entry, message, Some(reason.to_owned()));
            }
        }
    }

    fn value(&mut self, key: &Key, entry: &Entry<'_, '_>) {
        match kind::check(key.kind, entry.value) {
            Ok(value) => {
                let line = self.source.line(entry.span.start);
                let span = entry.value.span();
                let place = (self.source.line(span.start), self.source.column(span.start));
                self.settings.set(entry.path.clone(), value, span, line, place);
            }
            Err(misfits) => {
                self.settings.spoil(entry.path.clone());
                let problems = misfits.iter().map(|misfit| self.misfit(key, entry, misfit));
                self.problems.extend(problems.collect::<Vec<_>>());
            }
        }
    }

    /// A key that takes one value so far: anything else that fits its kind is not supported yet.
    fn only(&mut self, key: &Key, word: &str, entry: &Entry<'_, '_>) {
        let written = self.source.slice(&entry.value.span());
        if written == word || kind::check(key.kind, entry.value).is_err() {
            return self.value(key, entry);
        }
        let message =
            format!("`{} = {}` ({}) is not supported yet", entry.path, shown(written), key.doc);
        self.problem(entry, message, Some(format!("write `{} = {word}`, or remove it", key.name)));
    }

    fn misfit(&self, key: &Key, entry: &Entry<'_, '_>, misfit: &Misfit) -> Problem {
        let path = match &misfit.entry {
            Some(name) => format!("{}.{name}", entry.path),
            None => entry.path.clone(),
        };
        let written = match key.kind {
            Kind::Secret | Kind::Password | Kind::SecretPem | Kind::Environment => {
                REDACTED.to_owned()
            }
            // A URL or a header may hold a secret in any part of it.
            Kind::Notifications
                if misfit.entry.as_deref().is_none_or(|entry| {
                    entry.starts_with("url") || entry.starts_with("headers")
                }) =>
            {
                REDACTED.to_owned()
            }
            Kind::Tables(parts)
                if misfit.entry.as_deref().is_none_or(|entry| tables::is_secret(parts, entry)) =>
            {
                REDACTED.to_owned()
            }
            Kind::Headers if misfit.entry.as_deref().is_some_and(is_secret_header) => {
                REDACTED.to_owned()
            }
            _ => shown(self.source.slice(&misfit.span)),
        };
        let message = format!("`{path} = {written}`: must be {}", misfit.expected);
        let hint = match path.as_str() {
            // GitLab's own takes "prefer".
            "registry.database.enabled" => Some(table::NO_DATABASE.to_owned()),
            _ => misfit.hint.clone(),
        };
        self.source.problem(misfit.span.start, &path, message, hint)
    }

    fn unknown(&mut self, here: &Here<'_>, entry: &Entry<'_, '_>) {
        if self.is_enough(entry) {
            return;
        }
        let is_table = entry.value.get_ref().is_table();
        let (message, hint) = match is_table {
            true => (format!("unknown table [{}]", shown(&entry.path)), table_hint(here, entry)),
            false => (format!("unknown key `{}`", shown(&entry.path)), self.key_hint(here, entry)),
        };
        self.problem(entry, message, hint);
    }

    fn key_hint(&self, here: &Here<'_>, entry: &Entry<'_, '_>) -> Option<String> {
        if let Some((_, here)) = MOVED.iter().find(|(there, _)| *there == entry.path) {
            return Some(format!("write `{here}` in [registry], as gitlab.rb does"));
        }
        let homes = homes(here.path, entry.name);
        if !homes.is_empty() {
            let homes = homes.iter().map(|section| section.title()).collect::<Vec<_>>();
            let place = match &here.opened {
                Some(span) => {
                    format!("line {} opened [{}]", self.source.line(span.start), here.path)
                }
                None => "here it stands above the first [table]".to_owned(),
            };
            return Some(format!("`{}` belongs to {}; {place}", entry.name, homes.join(" or ")));
        }
        let keys = table::section(here.path).map_or(&[][..], |section| section.keys);
        let keys = keys.iter().filter(|key| can_be_set(key.support));
        let names = keys.map(|key| key.name).chain(children(here.path));
        if let Some(name) = nearest(entry.name, names) {
            return Some(format!("did you mean `{name}`?"));
        }
        let (section, key) = nearest_anywhere(entry.name)?;
        Some(format!("did you mean `{}` in {}?", key.name, section.title()))
    }

    /// Whether enough is listed to go on with; what is not is counted.
    fn is_enough(&mut self, entry: &Entry<'_, '_>) -> bool {
        let is_enough = self.problems.len() >= LISTED_MAX;
        if is_enough {
            self.unlisted += 1;
            self.first_unlisted = entry.span.start;
        }
        is_enough
    }

    fn problem(&mut self, entry: &Entry<'_, '_>, message: String, hint: Option<String>) {
        // A table's header says more than the last name in it.
        let offset = match entry.value.get_ref() {
            DeValue::Table(_) if entry.value.span().start < entry.span.start => {
                entry.value.span().start
            }
            _ => entry.span.start,
        };
        self.problems.push(self.source.problem(offset, &entry.path, message, hint));
    }
}

/// Where Distribution has a key that gitlab.rb has elsewhere, by its name there.
const MOVED: [(&str, &str); 5] = [
    ("registry.http.addr", "registry_http_addr"),
    ("registry.http.secret", "http_secret"),
    ("registry.http.draintimeout", "http_draintimeout"),
    ("registry.log.level", "log_level"),
    ("registry.log.formatter", "log_formatter"),
];

/// Whether writing it is of any use: nothing else is suggested.
fn can_be_set(support: Support) -> bool {
    matches!(support, Support::Yes | Support::Only(_))
}

fn table_hint(here: &Here<'_>, entry: &Entry<'_, '_>) -> Option<String> {
    let suffix = format!(".{}", entry.path);
    if let Some(section) = table::sections()
        .find(|section| can_be_set(section.support) && section.path.ends_with(&suffix))
    {
        return Some(format!("did you mean [{}]?", section.path));
    }
    let home = table::sections().find(|section| {
        can_be_set(section.support)
            && section.path.rsplit('.').next() == Some(entry.name)
            && section.path != entry.name
    });
    if let Some(section) = home {
        return Some(format!("did you mean [{}]?", section.path));
    }
    let name = nearest(entry.name, children(here.path))?;
    Some(match here.path {
        "" => format!("did you mean [{name}]?"),
        above => format!("did you mean [{above}.{name}]?"),
    })
}

/// Returns the names of the tables directly below a table.
fn children(path: &str) -> impl Iterator<Item = &'static str> {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    table::sections()
        .filter(|section| can_be_set(section.support))
        .filter_map(move |section| section.path.strip_prefix(prefix.as_str()))
        .filter_map(|rest| rest.split('.').next())
        .filter(|name| !name.is_empty())
}

/// The most tables that a hint names.
const HOMES_MAX: usize = 3;

/// Returns the tables that have a key of this name: the nearest one above if there is one, else some.
fn homes(here: &str, name: &str) -> Vec<&'static Section> {
    let having = || {
        table::sections()
            .filter(|section| section.key(name).is_some_and(|key| can_be_set(key.support)))
    };
    let above = having().filter(|section| {
        section.path.is_empty()
            || here.strip_prefix(section.path).is_some_and(|rest| rest.starts_with('.'))
    });
    match above.max_by_key(|section| section.path.len()) {
        Some(section) => vec![section],
        None => having().take(HOMES_MAX).collect(),
    }
}

fn nearest_anywhere(name: &str) -> Option<(&'static Section, &'static Key)> {
    let all = || {
        table::sections().flat_map(|section| {
            let keys = section.keys.iter().filter(|key| can_be_set(key.support));
            keys.map(move |key| (section, key))
        })
    };
    let best = nearest(name, all().map(|(_, key)| key.name))?;
    all().find(|(_, key)| key.name == best)
}
