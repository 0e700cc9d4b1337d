//! Tables of one shape, as each under `[[registry.health.http]]` is.

use std::{collections::BTreeMap, ops::Range};

use serde_json::{Map, Value as Json};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    kind::{self, Misfit, Value},
    nearest::nearest,
    table::{Kind, Part},
};

/// One table: what was written in it, by name, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) span: Range<usize>,
    values: BTreeMap<&'static str, Value>,
}

/// Getters by kind. A part of another kind is a mistake in the key table that the first test shows.
macro_rules! getters {
    ($($name:ident: $variant:ident -> $type:ty;)*) => {
        impl Record {
            $(pub(super) fn $name(&self, name: &str) -> Option<$type> {
                match self.values.get(name)? {
                    Value::$variant(value) => Some(value.clone()),
                    other => unreachable!("`{name}` is asked for as another kind than {other:?}"),
                }
            })*
        }
    };
}

getters! {
    text: Text -> String;
    flag: Flag -> bool;
    count: Count -> u64;
    duration: Duration -> std::time::Duration;
    address: Address -> super::values::ListenAddress;
    path: Path -> std::path::PathBuf;
    web_url: WebUrl -> super::web_url::WebUrl;
    endpoint: Endpoint -> super::notifications::EndpointUrl;
    headers: Headers -> BTreeMap<String, Vec<String>>;
    record: Record -> Record;
    list: List -> Vec<String>;
}

impl Record {
    /// Every value, those of inner tables too.
    pub(super) fn values(&self) -> Vec<&Value> {
        let mut found = Vec::new();
        for value in self.values.values() {
            match value {
                Value::Record(record) => found.append(&mut record.values()),
                value => found.push(value),
            }
        }
        found
    }

    /// The table as the file writes it.
    pub(super) fn to_json(&self, shown: impl Fn(Value) -> Json) -> Json {
        let entry = |(name, value): (&&str, &Value)| ((*name).to_owned(), shown(value.clone()));
        Json::Object(self.values.iter().map(entry).collect::<Map<_, _>>())
    }
}

/// Checks a list of tables; each can have several misfits.
pub(super) fn list(
    value: &Spanned<DeValue<'_>>,
    parts: &'static [Part],
) -> Result<Vec<Record>, Vec<Misfit>> {
    let items = value.get_ref().as_array();
    let items =
        items.ok_or_else(|| vec![Misfit::new(value, expected("a list of tables", parts))])?;
    let (mut records, mut misfits) = (Vec::new(), Vec::new());
    for item in items {
        match record(item, parts) {
            Ok(record) => records.push(record),
            Err(mut found) => misfits.append(&mut found),
        }
    }
    if misfits.is_empty() { Ok(records) } else { Err(misfits) }
}

/// Checks one table.
pub(super) fn record(
    value: &Spanned<DeValue<'_>>,
    parts: &'static [Part],
) -> Result<Record, Vec<Misfit>> {
    let table = value.get_ref().as_table();
    let table = table.ok_or_else(|| vec![Misfit::new(value, expected("a table", parts))])?;
    let mut misfits = unknown(table, parts);
    let mut values = BTreeMap::new();
    for part in parts {
        match table.get(part.name).map(|written| kind::check(part.kind, written)) {
            Some(Ok(fit)) => {
                values.insert(part.name, fit);
            }
            Some(Err(found)) => {
                misfits.extend(found.into_iter().map(|misfit| inside(part, misfit)))
            }
            None if part.is_required => {
                let absent = Misfit::new(value, "written: it cannot do without");
                misfits.push(inside(part, absent));
            }
            None => {}
        }
    }
    if misfits.is_empty() { Ok(Record { span: value.span(), values }) } else { Err(misfits) }
}

fn unknown(table: &DeTable<'_>, parts: &'static [Part]) -> Vec<Misfit> {
    let is_unknown = |name: &str| parts.iter().all(|part| part.name != name);
    let misfit = |(name, value): (&str, &Spanned<DeValue<'_>>)| {
        let near = nearest(name, parts.iter().map(|part| part.name));
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        let misfit = Misfit::new(value, format!("one of {}", names(parts)));
        Misfit { entry: Some(name.to_owned()), hint, ..misfit }
    };
    let written = table.iter().map(|(name, value)| (name.get_ref().as_ref(), value));
    written.filter(|(name, _)| is_unknown(name)).map(misfit).collect()
}

/// Puts the part's name before what is wrong in it.
fn inside(part: &Part, misfit: Misfit) -> Misfit {
    let entry = match misfit.entry {
        Some(entry) => format!("{}.{entry}", part.name),
        None => part.name.to_owned(),
    };
    Misfit { entry: Some(entry), ..misfit }
}

fn expected(what: &str, parts: &[Part]) -> String {
    format!("{what} of {}", names(parts))
}

pub(super) fn names(parts: &[Part]) -> String {
    parts.iter().map(|part| part.name).collect::<Vec<_>>().join(", ")
}

/// Whether a part of these tables may hold a secret, as the address of a check may.
pub(super) fn is_secret(parts: &[Part], entry: &str) -> bool {
    let name = entry.split('.').next().unwrap_or(entry);
    let part = parts.iter().find(|part| part.name == name);
    part.is_some_and(|part| matches!(part.kind, Kind::Endpoint | Kind::Headers))
}
