//! What a key takes, applied to what was written.

use std::{collections::BTreeMap, ops::Range, path::PathBuf, time::Duration};

use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use super::{
    table::Kind,
    values::{self, Expected, ExternalUrl, ListenAddress},
};
use crate::Secret;

/// A value that fits its key.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Secret(Secret),
    Flag(bool),
    Count(u64),
    Duration(Duration),
    Address(ListenAddress),
    Url(ExternalUrl),
    Path(PathBuf),
    Environment(BTreeMap<String, String>),
    Headers(BTreeMap<String, Vec<String>>),
}

/// Why a value does not fit, and which part of it.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) span: Range<usize>,
    /// The name of the entry, when the value is a table.
    pub(super) entry: Option<String>,
    /// The sentence goes "must be …".
    pub(super) expected: String,
    pub(super) hint: Option<String>,
}

impl Misfit {
    fn new(value: &Spanned<DeValue<'_>>, expected: impl Into<String>) -> Self {
        Self { span: value.span(), entry: None, expected: expected.into(), hint: None }
    }
}

/// Checks a value; a table can have several misfits.
pub(super) fn check(kind: Kind, value: &Spanned<DeValue<'_>>) -> Result<Value, Vec<Misfit>> {
    let one = |result: Result<Value, Misfit>| result.map_err(|misfit| vec![misfit]);
    match kind {
        Kind::Environment => entries(value, variable).map(Value::Environment),
        Kind::Headers => entries(value, header).map(Value::Headers),
        Kind::Duration => one(duration(value)),
        Kind::Flag => one(flag(value)),
        Kind::Count(least) => one(count(value, least)),
        Kind::Secret => one(secret(value)),
        Kind::Choice(allowed) => one(choice(value, allowed)),
        Kind::Text => one(parsed(value, |text| Ok(Value::Text(text.to_owned())))),
        Kind::Address => one(parsed(value, |text| text.parse().map(Value::Address))),
        Kind::Url => one(parsed(value, |text| text.parse().map(Value::Url))),
        Kind::Path => one(parsed(value, |text| values::path(text).map(Value::Path))),
        Kind::Prefix => one(parsed(value, prefix)),
        // No supported key has these kinds yet, and an unsupported key is refused before its value is read.
        Kind::Size | Kind::List | Kind::Table => Err(vec![Misfit::new(value, "left out")]),
    }
}

fn parsed(
    value: &Spanned<DeValue<'_>>,
    parse: impl FnOnce(&str) -> Result<Value, Expected>,
) -> Result<Value, Misfit> {
    let text = value.get_ref().as_str().ok_or_else(|| Misfit::new(value, "a string in quotes"))?;
    parse(text).map_err(|Expected(expected)| Misfit::new(value, expected))
}

fn prefix(text: &str) -> Result<Value, Expected> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if text.starts_with('/') && text.chars().all(allowed) {
        return Ok(Value::Text(text.to_owned()));
    }
    Err(Expected("a path that starts with a slash, such as \"/registry/\""))
}

fn flag(value: &Spanned<DeValue<'_>>) -> Result<Value, Misfit> {
    let misfit = |hint: Option<String>| Misfit { hint, ..Misfit::new(value, "true or false") };
    match value.get_ref() {
        DeValue::Boolean(flag) => Ok(Value::Flag(*flag)),
        DeValue::String(text) if text == "true" || text == "false" => {
            Err(misfit(Some(format!("write {text} without quotes"))))
        }
        _ => Err(misfit(None)),
    }
}

fn choice(value: &Spanned<DeValue<'_>>, allowed: &[&str]) -> Result<Value, Misfit> {
    match value.get_ref().as_str().filter(|text| allowed.contains(text)) {
        Some(text) => Ok(Value::Text(text.to_owned())),
        None => Err(Misfit::new(value, format!("one of {}", quoted(allowed)))),
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

fn count(value: &Spanned<DeValue<'_>>, least: i64) -> Result<Value, Misfit> {
    let misfit = || Misfit::new(value, format!("a whole number of at least {least}"));
    let number = value.get_ref().as_integer().and_then(integer).filter(|number| *number >= least);
    number.and_then(|number| u64::try_from(number).ok()).map(Value::Count).ok_or_else(misfit)
}

fn integer(written: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(written.as_str(), written.radix()).ok()
}

fn duration(value: &Spanned<DeValue<'_>>) -> Result<Value, Misfit> {
    let misfit =
        || Misfit::new(value, "a duration with a unit, such as \"30s\", \"1h30m\" or \"7d\"");
    match value.get_ref() {
        DeValue::String(text) => values::duration(text).map(Value::Duration).ok_or_else(misfit),
        DeValue::Integer(number) => {
            let hint = format!("for {number} seconds write \"{number}s\"");
            Err(Misfit { hint: Some(hint), ..misfit() })
        }
        _ => Err(misfit()),
    }
}

/// The fewest characters of a secret that is not plainly a mistake.
const SECRET_CHARS_MIN: usize = 16;

fn secret(value: &Spanned<DeValue<'_>>) -> Result<Value, Misfit> {
    let expected = format!("a string of at least {SECRET_CHARS_MIN} characters");
    match value.get_ref().as_str().filter(|text| text.chars().count() >= SECRET_CHARS_MIN) {
        Some(text) => Ok(Value::Secret(Secret::new(text.to_owned()))),
        None => Err(Misfit::new(value, expected)),
    }
}

/// Checks each entry of a table.
fn entries<T>(
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

fn variable(name: &str, value: &Spanned<DeValue<'_>>) -> Result<String, Misfit> {
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

fn header(name: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Misfit> {
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
