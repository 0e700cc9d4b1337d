//! `[[registry.notifications]]`: who is told of pushes, pulls and deletes.

use std::{collections::BTreeMap, fmt, time::Duration};

use registry::config::WebUrl;
use serde_json::{Map, Value as Json, json};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    composite::{entries, header, list},
    kind::{Misfit, integer},
    nearest::nearest,
    values::{self, Expected, duration_text},
};
use crate::{
    Secret,
    secret::{REDACTED, is_secret_header},
};

const ACTIONS: [&str; 4] = ["pull", "push", "mount", "delete"];

const KEYS: [&str; 10] = [
    "name",
    "url",
    "disabled",
    "timeout",
    "maxretries",
    "threshold",
    "backoff",
    "headers",
    "ignoredmediatypes",
    "ignore",
];

/// The registry makes a folder's name of it.
const NAME_BYTES_MAX: usize = 80;

/// One who is told; what is not written follows from the `default_notifications_*` of `[registry]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) url: EndpointUrl,
    pub(crate) is_disabled: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_retries: Option<u64>,
    /// Whether the retries are written under their old name.
    pub(super) has_old_name: bool,
    pub(crate) backoff: Option<Duration>,
    pub(crate) headers: Headers,
    pub(crate) ignored_media_types: Vec<String>,
    pub(crate) ignored_actions: Vec<String>,
}

/// An address that may hold a password or a token.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct EndpointUrl(Secret);

/// Headers of requests; `Debug` shows no secret.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct Headers(pub(crate) BTreeMap<String, Vec<String>>);

impl EndpointUrl {
    pub(crate) fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// The address with what may be secret left out.
    pub(crate) fn shown(&self) -> String {
        match self.0.reveal().parse::<WebUrl>() {
            Ok(url) if url.has_secret() => format!("{url} {REDACTED}"),
            _ => self.0.reveal().to_owned(),
        }
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Endpoint {
    /// Whether showing it would tell a secret.
    pub(super) fn is_secret(&self) -> bool {
        self.url.shown() != self.url.reveal()
            || self.headers.0.keys().any(|name| is_secret_header(name))
    }

    /// The endpoint as the file writes it.
    pub(super) fn to_json(&self, is_revealed: bool) -> Json {
        let mut found = Map::new();
        let url = if is_revealed { self.url.reveal().to_owned() } else { self.url.shown() };
        found.insert("name".to_owned(), json!(self.name));
        found.insert("url".to_owned(), json!(url));
        if self.is_disabled {
            found.insert("disabled".to_owned(), json!(true));
        }
        let spans = [("timeout", self.timeout), ("backoff", self.backoff)];
        found.extend(
            spans
                .into_iter()
                .filter_map(|(name, span)| Some((name.to_owned(), json!(duration_text(span?))))),
        );
        found.extend(self.max_retries.map(|retries| ("maxretries".to_owned(), json!(retries))));
        let headers = self.headers.0.iter().map(|(name, values)| {
            let is_hidden = !is_revealed && is_secret_header(name);
            let shown = values.iter().map(|value| if is_hidden { REDACTED } else { value });
            (name.clone(), shown.collect::<Json>())
        });
        let headers: Map<String, Json> = headers.collect();
        if !headers.is_empty() {
            found.insert("headers".to_owned(), headers.into());
        }
        if !self.ignored_media_types.is_empty() {
            found.insert("ignoredmediatypes".to_owned(), json!(self.ignored_media_types));
        }
        if !self.ignored_actions.is_empty() {
            found.insert("ignore".to_owned(), json!({ "actions": self.ignored_actions }));
        }
        found.into()
    }
}

/// Checks a list of endpoints; each can have several misfits.
pub(super) fn check(value: &Spanned<DeValue<'_>>) -> Result<Vec<Endpoint>, Vec<Misfit>> {
    const EXPECTED: &str = "tables, each under [[registry.notifications]]";
    let items = value.get_ref().as_array();
    let items = items.ok_or_else(|| vec![Misfit::new(value, EXPECTED)])?;
    let (mut endpoints, mut misfits) = (Vec::<Endpoint>::new(), Vec::new());
    for item in items {
        let Some(table) = item.get_ref().as_table() else {
            misfits.push(Misfit::new(item, EXPECTED));
            continue;
        };
        let mut reading = Reading { item, table, misfits: Vec::new() };
        let endpoint = reading.endpoint();
        misfits.append(&mut reading.misfits);
        let Some(endpoint) = endpoint else { continue };
        if endpoints.iter().any(|other| other.name == endpoint.name) {
            let name = table.get("name").unwrap_or(item);
            let misfit = Misfit::new(name, "a name that no other endpoint has");
            misfits.push(Misfit { entry: Some("name".to_owned()), ..misfit });
        }
        endpoints.push(endpoint);
    }
    if misfits.is_empty() { Ok(endpoints) } else { Err(misfits) }
}

/// One table, and what does not fit in it.
struct Reading<'a, 'b> {
    item: &'a Spanned<DeValue<'b>>,
    table: &'a DeTable<'b>,
    misfits: Vec<Misfit>,
}

impl Reading<'_, '_> {
    fn endpoint(&mut self) -> Option<Endpoint> {
        self.unknown();
        let name = self.required("name", name);
        let url = self.required("url", url);
        let is_disabled = self.value("disabled", flag).unwrap_or(false);
        let (timeout, backoff) = (self.value("timeout", span), self.value("backoff", span));
        let retries = self.value("maxretries", count);
        let old = self.value("threshold", count);
        let headers = self.parts("headers", |value| entries(value, header)).unwrap_or_default();
        let mut ignored_media_types = self.parts("ignoredmediatypes", texts).unwrap_or_default();
        let (more, ignored_actions) = self.ignored();
        ignored_media_types.extend(more);
        Some(Endpoint {
            name: name?,
            url: url?,
            is_disabled,
            timeout,
            max_retries: retries.or(old),
            has_old_name: old.is_some(),
            backoff,
            headers: Headers(headers),
            ignored_media_types,
            ignored_actions,
        })
    }

    fn unknown(&mut self) {
        for (key, value) in self.table {
            let name: &str = key.get_ref();
            if !KEYS.contains(&name) {
                let expected = format!("one of {}", KEYS.join(", "));
                let hint = nearest(name, KEYS).map(|near| format!("did you mean `{near}`?"));
                let misfit = Misfit { hint, ..Misfit::new(value, expected) };
                self.misfits.push(Misfit { entry: Some(name.to_owned()), ..misfit });
            }
        }
    }

    fn required<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Expected>,
    ) -> Option<T> {
        if self.table.get(name).is_none() {
            let misfit = Misfit::new(self.item, "written: each endpoint needs one");
            self.misfits.push(Misfit { entry: Some(name.to_owned()), ..misfit });
        }
        self.value(name, read)
    }

    fn value<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Expected>,
    ) -> Option<T> {
        self.parts(name, |value| {
            let read = read(value.get_ref());
            read.map_err(|Expected(expected)| vec![Misfit::new(value, expected)])
        })
    }

    fn parts<T>(
        &mut self,
        name: &str,
        read: impl Fn(&Spanned<DeValue<'_>>) -> Result<T, Vec<Misfit>>,
    ) -> Option<T> {
        match read(self.table.get(name)?) {
            Ok(value) => Some(value),
            Err(misfits) => {
                let inside = |misfit: Misfit| {
                    let entry = match misfit.entry {
                        Some(entry) => format!("{name}.{entry}"),
                        None => name.to_owned(),
                    };
                    Misfit { entry: Some(entry), ..misfit }
                };
                self.misfits.extend(misfits.into_iter().map(inside));
                None
            }
        }
    }

    /// `ignore.mediatypes` and `ignore.actions`.
    fn ignored(&mut self) -> (Vec<String>, Vec<String>) {
        let read = |value: &Spanned<DeValue<'_>>| {
            let expected = "a table of `mediatypes` and `actions`";
            let table = value.get_ref().as_table();
            let table = table.ok_or_else(|| vec![Misfit::new(value, expected)])?;
            let (mut media_types, mut actions) = (Vec::new(), Vec::new());
            for (key, value) in table {
                match key.get_ref().as_ref() {
                    "mediatypes" => media_types = texts(value)?,
                    "actions" => actions = list(value, ACTIONS_EXPECTED, action)?,
                    _ => return Err(vec![Misfit::new(value, expected)]),
                }
            }
            Ok((media_types, actions))
        };
        self.parts("ignore", read).unwrap_or_default()
    }
}

const ACTIONS_EXPECTED: &str = "a list of \"pull\", \"push\", \"mount\" and \"delete\"";

fn action(text: &str) -> Result<String, Expected> {
    let is_known = ACTIONS.contains(&text);
    if is_known { Ok(text.to_owned()) } else { Err(Expected(ACTIONS_EXPECTED)) }
}

fn texts(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Vec<Misfit>> {
    list(value, "a list of texts", |text| Ok(text.to_owned()))
}

fn name(value: &DeValue<'_>) -> Result<String, Expected> {
    let fits = |text: &&str| {
        (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
    };
    let name = value.as_str().filter(fits).map(str::to_owned);
    name.ok_or(Expected("a name of at most 80 bytes on one line"))
}

pub(super) fn url(value: &DeValue<'_>) -> Result<EndpointUrl, Expected> {
    let is_web =
        |text: &&str| text.chars().all(|c| c.is_ascii_graphic()) && text.parse::<WebUrl>().is_ok();
    let url = value.as_str().filter(is_web);
    let url = url.map(|url| EndpointUrl(Secret::new(url.to_owned())));
    url.ok_or(Expected("a URL that begins with http:// or https://"))
}

fn flag(value: &DeValue<'_>) -> Result<bool, Expected> {
    value.as_bool().ok_or(Expected("true or false"))
}

fn count(value: &DeValue<'_>) -> Result<u64, Expected> {
    let number = match value {
        DeValue::Integer(number) => integer(number),
        _ => None,
    };
    let number = number.and_then(|number| u32::try_from(number).ok());
    number.map(u64::from).ok_or(Expected("a whole number of at least 0"))
}

fn span(value: &DeValue<'_>) -> Result<Duration, Expected> {
    let span = value.as_str().and_then(values::duration).filter(|span| !span.is_zero());
    span.ok_or(Expected("a duration with a unit, such as \"500ms\" or \"1s\""))
}
