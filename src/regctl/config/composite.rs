//! Values of many parts: lists and tables, each part checked by itself, so that every bad one is named.

use std::collections::BTreeMap;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    kind::{Misfit, Value, integer},
    values::{Expected, Host},
};

/// Checks each item of a list; a single text is a list of one.
pub(super) fn list(
    value: &Spanned<DeValue<'_>>,
    expected: &'static str,
    item: impl Fn(&str) -> Result<String, Expected>,
) -> Result<Vec<String>, Vec<Misfit>> {
    let one = |value: &Spanned<DeValue<'_>>| {
        let text = value.get_ref().as_str().ok_or_else(|| Misfit::new(value, expected))?;
        item(text).map_err(|Expected(expected)| Misfit::new(value, expected))
    };
    match value.get_ref() {
        DeValue::Array(items) => all(items.iter().map(one)),
        _ => all(std::iter::once(one(value))),
    }
}

/// Checks addresses to listen on: at least one, and each only once.
pub(super) fn hosts(value: &Spanned<DeValue<'_>>) -> Result<Value, Vec<Misfit>> {
    const EXPECTED: &str = "a list of addresses, such as [\"*\", \"[::]\"] or [\"127.0.0.1\"]";
    let Some(items) = value.get_ref().as_array().filter(|items| !items.is_empty()) else {
        return Err(vec![Misfit::new(value, EXPECTED)]);
    };
    let mut seen: Vec<Host> = Vec::new();
    let mut misfits = Vec::new();
    for item in items {
        match item.get_ref().as_str().and_then(Host::to_listen) {
            Some(host) if seen.contains(&host) => {
                misfits.push(Misfit::new(item, "listed only once"));
            }
            Some(host) => seen.push(host),
            None => misfits.push(Misfit::new(item, EXPECTED)),
        }
    }
    if misfits.is_empty() { Ok(Value::Hosts(seen)) } else { Err(misfits) }
}

/// Collects what fits, or everything that does not.
fn all<T>(parts: impl Iterator<Item = Result<T, Misfit>>) -> Result<Vec<T>, Vec<Misfit>> {
    let (mut good, mut misfits) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Ok(part) => good.push(part),
            Err(misfit) => misfits.push(misfit),
        }
    }
    if misfits.is_empty() { Ok(good) } else { Err(misfits) }
}

/// Checks each entry of a table.
pub(super) fn entries<T>(
    value: &Spanned<DeValue<'_>>,
    entry: impl Fn(&str, &Spanned<DeValue<'_>>) -> Result<T, Misfit>,
) -> Result<BTreeMap<String, T>, Vec<Misfit>> {
    let table: &DeTable<'_> = match value.get_ref().as_table() {
        Some(table) => table,
        None => return Err(vec![Misfit::new(value, "a table, such as { NAME = \"value\" }")]),
    };
    let mut good = BTreeMap::new();
    let mut misfits = Vec::new();
    for (name, value) in table {
        match entry(name.get_ref(), value) {
            Ok(fit) => {
                good.insert(name.get_ref().clone().into_owned(), fit);
            }
            Err(misfit) => {
                let entry = Some(name.get_ref().clone().into_owned());
                misfits.push(Misfit { entry, ..misfit });
            }
        }
    }
    if misfits.is_empty() { Ok(good) } else { Err(misfits) }
}

pub(super) fn variable(name: &str, value: &Spanned<DeValue<'_>>) -> Result<String, Misfit> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(valid)
    {
        return Err(Misfit::new(value, "named with letters, digits and underscores"));
    }
    match value.get_ref() {
        DeValue::String(text) if !text.contains('\0') => Ok(text.clone().into_owned()),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        DeValue::Integer(number) => integer(number)
            .map(|number| number.to_string())
            .ok_or_else(|| Misfit::new(value, "an integer of 64 bits")),
        _ => Err(Misfit::new(value, "a string, true, false or an integer")),
    }
}

pub(super) fn header(name: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Misfit> {
    let expected = "a string or a list of strings, each on one line";
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err(Misfit::new(value, "named with letters, digits and dashes"));
    }
    let one = |value: &Spanned<DeValue<'_>>| match value.get_ref().as_str() {
        Some(text) if text.chars().all(|c| c == '\t' || !c.is_control()) => Ok(text.to_owned()),
        _ => Err(Misfit::new(value, expected)),
    };
    match value.get_ref() {
        DeValue::Array(list) => list.iter().map(one).collect(),
        // TOML has no nil: `false` removes a default header.
        DeValue::Boolean(false) => Ok(Vec::new()),
        _ => one(value).map(|text| vec![text]),
    }
}

/// A field of log lines; `false` leaves a default one out.
pub(super) fn field(name: &str, value: &Spanned<DeValue<'_>>) -> Result<Option<String>, Misfit> {
    match value.get_ref() {
        DeValue::Boolean(false) => Ok(None),
        DeValue::String(text) if text.chars().any(char::is_control) => {
            Err(Misfit::new(value, "text on one line"))
        }
        _ => variable(name, value).map(Some),
    }
}
