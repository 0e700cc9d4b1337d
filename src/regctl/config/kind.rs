//! What a key takes, applied to what was written.

use std::{collections::BTreeMap, net::IpAddr, ops::Range, path::PathBuf, time::Duration};

use toml::{
    Spanned,
    de::{DeInteger, DeValue},
};

use super::{
    composite::{entries, field, header, hosts, list, variable},
    notifications,
    policy::{Cadence, Glob, Pattern, Unfit},
    table::Kind,
    tables::{self, Record},
    values::{self, Expected, ExternalUrl, Host, ListenAddress},
    web_url::WebUrl,
};
use crate::Secret;

/// A value that fits its key.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Secret(Secret),
    Flag(bool),
    Count(u64),
    Port(u16),
    List(Vec<String>),
    Hosts(Vec<Host>),
    Duration(Duration),
    Address(ListenAddress),
    Url(ExternalUrl),
    WebUrl(WebUrl),
    Path(PathBuf),
    Environment(BTreeMap<String, String>),
    /// None: the default field of this name is left out.
    Fields(BTreeMap<String, Option<String>>),
    Headers(BTreeMap<String, Vec<String>>),
    Notifications(Vec<notifications::Endpoint>),
    Endpoint(notifications::EndpointUrl),
    Tables(Vec<Record>),
    Record(Record),
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
    pub(super) fn new(value: &Spanned<DeValue<'_>>, expected: impl Into<String>) -> Self {
        Self { span: value.span(), entry: None, expected: expected.into(), hint: None }
    }
}

/// Checks a value; a table can have several misfits.
pub(super) fn check(kind: Kind, value: &Spanned<DeValue<'_>>) -> Result<Value, Vec<Misfit>> {
    let one = |result: Result<Value, Misfit>| result.map_err(|misfit| vec![misfit]);
    match kind {
        Kind::Environment => entries(value, variable).map(Value::Environment),
        Kind::Fields => entries(value, field).map(Value::Fields),
        Kind::Headers => entries(value, header).map(Value::Headers),
        Kind::Notifications => notifications::check(value).map(Value::Notifications),
        Kind::Directives => {
            list(value, "a string or a list of strings", directive).map(Value::List)
        }
        Kind::Tables(parts) => tables::list(value, parts).map(Value::Tables),
        Kind::Record(parts) => tables::record(value, parts).map(Value::Record),
        Kind::Networks => list(value, "a list of addresses", network).map(Value::List),
        Kind::Hosts => hosts(value),
        Kind::Choices(allowed) => choices(value, allowed).map(Value::List),
        Kind::Id => one(id(value)),
        Kind::Port => one(port(value)),
        Kind::Size => one(size(value)),
        Kind::Directive => one(parsed(value, |text| directive(text).map(Value::Text))),
        Kind::Lines => one(parsed(value, lines)),
        Kind::Account => one(parsed(value, account)),
        Kind::Pem => one(parsed(value, |text| pem(text, CERTIFICATE).map(Value::Text))),
        Kind::SecretPem => {
            one(parsed(value, |text| pem(text, KEY).map(|text| Value::Secret(Secret::new(text)))))
        }
        Kind::Duration => one(duration(value)),
        Kind::Flag => one(flag(value)),
        Kind::Count(least) => one(count(value, least)),
        Kind::Between(least, most) => one(between(value, least, most)),
        Kind::Status => one(status(value)),
        Kind::Endpoint => one(endpoint(value)),
        Kind::Secret => one(secret(value)),
        Kind::Password => one(password(value)),
        Kind::Choice(allowed) => one(choice(value, allowed)),
        Kind::Text => one(parsed(value, text)),
        Kind::Label => one(parsed(value, label)),
        Kind::Address => one(parsed(value, |text| text.parse().map(Value::Address))),
        Kind::Url => one(parsed(value, |text| text.parse().map(Value::Url))),
        Kind::WebUrl => one(parsed(value, |text| text.parse().map(Value::WebUrl))),
        Kind::Path => one(parsed(value, |text| values::path(text).map(Value::Path))),
        Kind::PathOrUrl => one(parsed(value, path_or_url)),
        Kind::Prefix => one(parsed(value, prefix)),
        Kind::Schedule => one(parsed(value, |text| schedule(text).map(Value::Text))),
        Kind::Cadence => one(fits(value, Cadence::parse)),
        Kind::Pattern => one(fits(value, Pattern::parse)),
        Kind::Globs => globs(value).map(Value::List),
        Kind::List => list(value, "a list of texts", item).map(Value::List),
        // No supported key has this kind yet, and an unsupported key is refused before its value is read.
        Kind::Table => Err(vec![Misfit::new(value, "left out")]),
    }
}

fn parsed(
    value: &Spanned<DeValue<'_>>,
    parse: impl FnOnce(&str) -> Result<Value, Expected>,
) -> Result<Value, Misfit> {
    let text = value.get_ref().as_str().ok_or_else(|| Misfit::new(value, "a string in quotes"))?;
    parse(text).map_err(|Expected(expected)| Misfit::new(value, expected))
}

/// A text of which something is made; it stays a text.
fn fits<T>(
    value: &Spanned<DeValue<'_>>,
    parse: impl FnOnce(&str) -> Result<T, Unfit>,
) -> Result<Value, Misfit> {
    let text = value.get_ref().as_str().ok_or_else(|| Misfit::new(value, "a string in quotes"))?;
    match parse(text) {
        Ok(_) => Ok(Value::Text(text.to_owned())),
        Err(Unfit(expected)) => Err(Misfit::new(value, expected)),
    }
}

/// Names with wildcards; a single text is a list of one.
fn globs(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Vec<Misfit>> {
    let items = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    };
    let (mut globs, mut misfits) = (Vec::new(), Vec::new());
    for item in items {
        match fits(item, |text| Glob::parse(text).map_err(|error| Unfit(error.to_string()))) {
            Ok(Value::Text(text)) => globs.push(text),
            Ok(_) => {}
            Err(misfit) => misfits.push(misfit),
        }
    }
    if misfits.is_empty() { Ok(globs) } else { Err(misfits) }
}

fn text(text: &str) -> Result<Value, Expected> {
    match text.chars().any(char::is_control) {
        true => Err(Expected("text on one line")),
        false => Ok(Value::Text(text.to_owned())),
    }
}

fn item(text: &str) -> Result<String, Expected> {
    match text.is_empty() || text.chars().any(char::is_control) {
        true => Err(Expected("text on one line, and not empty")),
        false => Ok(text.to_owned()),
    }
}

fn label(text: &str) -> Result<Value, Expected> {
    match !text.is_empty() && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        true => Ok(Value::Text(text.to_owned())),
        false => Err(Expected("visible ASCII on one line, and not empty")),
    }
}

fn schedule(text: &str) -> Result<String, Expected> {
    values::schedule(text).ok_or(Expected(
        "five fields as cron has them (minute, hour, day of the month, month, day of the week), such as \"5 4 * * 0\", or @hourly, \
         @daily, @weekly, @monthly or @yearly",
    ))
}

fn prefix(text: &str) -> Result<Value, Expected> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if text.starts_with('/') && text.chars().all(allowed) {
        return Ok(Value::Text(text.to_owned()));
    }
    Err(Expected("a path that starts with a slash, such as \"/registry/\""))
}

/// Text that stands in nginx's configuration as it is: it must not end a directive or open a block.
fn directive(text: &str) -> Result<String, Expected> {
    let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !";{}\"'#$\\".contains(c);
    match !text.trim().is_empty() && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(Expected("text for nginx, without quotes, `;`, `{`, `}`, `#`, `$` and `\\`")),
    }
}

/// Lines for nginx. What they mean is nginx's to check; they must only not reach out of their block.
fn lines(text: &str) -> Result<Value, Expected> {
    let mut depth = 0_i64;
    let mut lowest = 0_i64;
    for character in text.chars() {
        depth += i64::from(character == '{') - i64::from(character == '}');
        lowest = lowest.min(depth);
    }
    let printable = text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control());
    match depth == 0 && lowest == 0 && printable {
        true => Ok(Value::Text(text.to_owned())),
        false => Err(Expected("directives for nginx, each `{` with its `}`")),
    }
}

/// An address or a network that `set_real_ip_from` takes.
fn network(text: &str) -> Result<String, Expected> {
    const EXPECTED: Expected =
        Expected("an address or a network, such as \"10.0.0.1\" or \"10.0.0.0/8\", or \"unix:\"");
    if text == "unix:" {
        return Ok(text.to_owned());
    }
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| EXPECTED)?;
    let bits_max = if address.is_ipv4() { 32 } else { 128 };
    match bits.map(|bits| bits.parse::<u8>().ok().filter(|bits| *bits <= bits_max)) {
        Some(None) => Err(EXPECTED),
        _ => Ok(text.to_owned()),
    }
}

/// The name of an account, as useradd takes it.
fn account(text: &str) -> Result<Value, Expected> {
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    let rest = |c: char| first(c) || c.is_ascii_digit() || c == '-';
    match text.starts_with(first) && text.chars().all(rest) && text.len() <= 32 {
        true => Ok(Value::Text(text.to_owned())),
        false => Err(Expected(
            "a name of at most 32 lowercase letters, digits, dashes and underscores, a letter first",
        )),
    }
}

const CERTIFICATE: &str = "CERTIFICATE-----";
const KEY: &str = "PRIVATE KEY-----";

/// PEM that holds what it should; whether key and certificate match is seen when they are used.
fn pem(text: &str, kind: &str) -> Result<String, Expected> {
    let text = text.trim();
    match text.starts_with("-----BEGIN ") && text.contains(kind) && text.ends_with("-----") {
        true => Ok(format!("{text}\n")),
        false if kind == CERTIFICATE => {
            Err(Expected("a certificate in PEM, from -----BEGIN CERTIFICATE----- to its end"))
        }
        false => {
            Err(Expected("a private key in PEM, from -----BEGIN … PRIVATE KEY----- to its end"))
        }
    }
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

/// At least one of some words: none would refuse everything.
fn choices(value: &Spanned<DeValue<'_>>, allowed: &[&str]) -> Result<Vec<String>, Vec<Misfit>> {
    let expected = || format!("a list of {}", quoted(allowed));
    let items = value.get_ref().as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| vec![Misfit::new(value, expected())])?;
    let (mut words, mut misfits) = (Vec::<String>::new(), Vec::new());
    for item in items {
        match item.get_ref().as_str().filter(|word| allowed.contains(word)) {
            Some(word) if words.iter().any(|seen| seen == word) => {
                misfits.push(Misfit::new(item, "listed only once"));
            }
            Some(word) => words.push(word.to_owned()),
            None => misfits.push(Misfit::new(item, format!("one of {}", quoted(allowed)))),
        }
    }
    if misfits.is_empty() { Ok(words) } else { Err(misfits) }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

fn count(value: &Spanned<DeValue<'_>>, least: i64) -> Result<Value, Misfit> {
    let misfit = || Misfit::new(value, format!("a whole number of at least {least}"));
    let number = match value.get_ref() {
        DeValue::Integer(number) => integer(number),
        // gitlab.rb quotes some of its numbers.
        DeValue::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()
        }
        _ => None,
    };
    let number = number.filter(|number| *number >= least);
    number.and_then(|number| u64::try_from(number).ok()).map(Value::Count).ok_or_else(misfit)
}

fn between(value: &Spanned<DeValue<'_>>, least: i64, most: i64) -> Result<Value, Misfit> {
    match count(value, least) {
        Ok(Value::Count(count)) if i64::try_from(count).is_ok_and(|count| count <= most) => {
            Ok(Value::Count(count))
        }
        _ => Err(Misfit::new(value, format!("a whole number from {least} to {most}"))),
    }
}

/// The status of an answer.
fn status(value: &Spanned<DeValue<'_>>) -> Result<Value, Misfit> {
    match count(value, 100) {
        Ok(Value::Count(status)) if status <= 999 => Ok(Value::Count(status)),
        _ => Err(Misfit::new(value, "a status from 100 to 999")),
    }
}

fn endpoint(value: &Spanned<DeValue<'_>>) -> Result<Value, Misfit> {
    let misfit = |Expected(expected)| Misfit::new(value, expected);
    notifications::url(value.get_ref()).map(Value::Endpoint).map_err(misfit)
}

fn id(value: &Spanned<DeValue<'_>>) -> Result<Value, Misfit> {
    /// The last number stands for "no id".
    const ID_MAX: u64 = 0xffff_fffe;
    let expected = format!("an id from 1 to {ID_MAX}");
    match count(value, 1) {
        Ok(Value::Count(id)) if id <= ID_MAX => Ok(Value::Count(id)),
        _ => Err(Misfit::new(value, expected)),
    }
}

fn port(value: &Spanned<DeValue<'_>>) -> Result<Value, Misfit> {
    let number = match value.get_ref() {
        DeValue::Integer(number) => integer(number).and_then(|number| u16::try_from(number).ok()),
        DeValue::String(text) => values::port_number(text),
        _ => None,
    };
    let misfit = || Misfit::new(value, "a port from 1 to 65535");
    number.filter(|port| *port != 0).map(Value::Port).ok_or_else(misfit)
}

fn size(value: &Spanned<DeValue<'_>>) -> Result<Value, Misfit> {
    let bytes = match value.get_ref() {
        DeValue::Integer(number) => integer(number).and_then(|number| u64::try_from(number).ok()),
        DeValue::String(text) => values::size(text),
        _ => None,
    };
    let expected = "a size in bytes, or with a unit, such as \"25MB\" or \"25MiB\"";
    bytes.map(Value::Count).ok_or_else(|| Misfit::new(value, expected))
}

pub(super) fn integer(written: &DeInteger<'_>) -> Option<i64> {
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
    let expected = format!("a string of at least {SECRET_CHARS_MIN} characters on one line");
    let secret = value.get_ref().as_str().and_then(secret_text);
    secret.map(Value::Secret).ok_or_else(|| Misfit::new(value, expected))
}

/// A password is never shown, also where it is none.
fn password(value: &Spanned<DeValue<'_>>) -> Result<Value, Misfit> {
    let password = value.get_ref().as_str().and_then(password_text);
    let misfit = || Misfit::new(value, "a string on one line, and not empty");
    password.map(Value::Secret).ok_or_else(misfit)
}

fn password_text(text: &str) -> Option<Secret> {
    let is_one = !text.is_empty() && !text.chars().any(char::is_control);
    is_one.then(|| Secret::new(text.to_owned()))
}

fn path_or_url(text: &str) -> Result<Value, Expected> {
    if text.starts_with("https://") || text.starts_with("http://") {
        return text.parse().map(Value::WebUrl);
    }
    values::path(text).map(Value::Path)
}

/// Takes a secret that is long enough and stands on one line.
fn secret_text(text: &str) -> Option<Secret> {
    let is_long = text.chars().count() >= SECRET_CHARS_MIN;
    (is_long && !text.chars().any(char::is_control)).then(|| Secret::new(text.to_owned()))
}

/// Checks the content of a file that stands for a value.
pub(super) fn check_file(kind: Kind, content: &str) -> Result<Value, String> {
    let content = content.trim_end();
    let checked = match kind {
        Kind::Pem => pem(content, CERTIFICATE).map(Value::Text),
        Kind::SecretPem => pem(content, KEY).map(|text| Value::Secret(Secret::new(text))),
        Kind::Password => {
            let expected = || "one line that is not empty".to_owned();
            return password_text(content).map(Value::Secret).ok_or_else(expected);
        }
        _ => {
            let expected = || format!("one line of at least {SECRET_CHARS_MIN} characters");
            return secret_text(content).map(Value::Secret).ok_or_else(expected);
        }
    };
    checked.map_err(|Expected(expected)| expected.to_owned())
}
