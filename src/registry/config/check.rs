//! Stage three, first half: every key of the tree against the table.
//!
//! What is unknown, of the wrong kind, without effect or refused is reported here once and for all,
//! so that whoever reads a value afterwards takes it or leaves it.

use super::{
    Problem, Warning,
    duration::{self, NotADuration},
    keys::{self, KEYS, Key, Kind, Support, When, nearest},
    scalar,
    tree::{Entry, Node, Style, Value},
};

/// Problems and warnings, in the order in which they are found.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
}

impl Findings {
    /// Notes a problem with the value at `path`, which is shown unless it may be secret.
    pub(super) fn problem(
        &mut self,
        path: &str,
        node: &Node,
        message: impl Into<String>,
        advice: Option<&str>,
    ) {
        let shown = node.text().filter(|_| !keys::is_secret(path)).map(shorten);
        self.problems.push(Problem {
            key: path.to_owned(),
            value: shown,
            message: message.into(),
            advice: advice.map(str::to_owned),
            origin: node.origin.clone(),
        });
    }

    pub(super) fn warning(&mut self, path: &str, node: &Node, message: impl Into<String>) {
        let origin = node.origin.clone();
        self.warnings.push(Warning { key: path.to_owned(), message: message.into(), origin });
    }
}

/// A value as it is repeated in a message: one line, not too long.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// Checks the whole tree.
pub(super) fn check(root: &Node, findings: &mut Findings) {
    match &root.value {
        Value::Map(_) => walk(root, "", Depth::All, findings),
        Value::Scalar { .. } | Value::List(_) if root.is_null() => {}
        Value::Scalar { .. } | Value::List(_) => {
            let message = format!("the file is {}, where a map of keys is expected", root.noun());
            findings.problem("", root, message, Some("begin with `version: 0.1`"));
        }
    }
}

/// How much is still worth a remark below a section that has been remarked upon.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Depth {
    All,
    RefusedAndUnknown,
}

fn walk(node: &Node, path: &str, depth: Depth, findings: &mut Findings) {
    let known = keys::children(path);
    for entry in node.entries() {
        let child = keys::join(path, &entry.key);
        if known.contains(&entry.key.as_str()) {
            visit(&entry.node, &child, depth, findings);
        } else if path != "storage" && path != "auth" {
            unknown(entry, path, &known, findings);
        }
    }
}

fn visit(node: &Node, path: &str, depth: Depth, findings: &mut Findings) {
    let key = keys::find(path);
    let below = match key {
        Some(key) => judge(key, node, depth, findings),
        None => depth,
    };
    let kind = key.map_or(Kind::Section, |key| key.kind);
    if below == Depth::All && key.is_none_or(|key| key.support == Support::Yes) {
        check_kind(kind, node, path, findings);
    }
    match kind {
        Kind::Open => {}
        Kind::List => {
            for item in node.items() {
                walk(item, &format!("{path}[]"), below, findings);
            }
        }
        _ => walk(node, path, below, findings),
    }
}

/// Says what the table says of a key, and how much more is to be said below it.
fn judge(key: &Key, node: &Node, depth: Depth, findings: &mut Findings) -> Depth {
    match key.support {
        // Drivers are judged together: two of them are one problem.
        Support::NotYet(_) if is_driver(key.path) => Depth::RefusedAndUnknown,
        Support::NotYet(when) if applies(when, node) => {
            let advice = Some("remove it, or stay with Distribution for now");
            findings.problem(key.path, node, "not supported yet", advice);
            Depth::RefusedAndUnknown
        }
        Support::Refused(when, reason) if applies(when, node) => {
            findings.problem(key.path, node, format!("refused: {reason}"), Some("remove it"));
            Depth::RefusedAndUnknown
        }
        Support::Yes | Support::Moot(_) | Support::NotYet(_) | Support::Refused(..) => depth,
    }
}

fn is_driver(path: &str) -> bool {
    path.strip_prefix("storage.").is_some_and(|name| !name.contains('.'))
}

fn applies(when: When, node: &Node) -> bool {
    match when {
        When::Given => true,
        When::Filled => !node.is_empty(),
        When::True => node.text().is_some_and(|text| scalar::boolean(text) != Some(false)),
        When::Active => node.items().iter().any(|item| {
            let disabled = item.find("disabled").and_then(Node::text).and_then(scalar::boolean);
            !item.is_null() && disabled != Some(true)
        }),
    }
}

fn unknown(entry: &Entry, path: &str, known: &[&str], findings: &mut Findings) {
    let hint = match nearest(&entry.key, known.iter().copied()) {
        Some(near) => format!("; did you mean `{}`?", keys::join(path, near)),
        None => KEYS
            .iter()
            .find(|key| key.path.rsplit_once('.').is_some_and(|(_, name)| name == entry.key))
            .map_or_else(String::new, |key| format!("; `{}` is a key", key.path)),
    };
    findings.warnings.push(Warning {
        key: keys::join(path, &shorten(&entry.key)),
        message: format!("unknown key, ignored{hint}"),
        origin: entry.origin.clone(),
    });
}

fn check_kind(kind: Kind, node: &Node, path: &str, findings: &mut Findings) {
    if node.is_null() || matches!(kind, Kind::Open) {
        return;
    }
    match (kind, &node.value) {
        (Kind::Section, Value::Map(_)) | (Kind::List, Value::List(_)) => {}
        // These two may be a plain name.
        (Kind::Section, Value::Scalar { .. }) if path == "storage" || path == "auth" => {}
        (Kind::Section, _) => {
            findings.problem(path, node, format!("{} where a map is expected", node.noun()), None);
        }
        (Kind::List, _) => {
            findings.problem(path, node, format!("{} where a list is expected", node.noun()), None);
        }
        (_, Value::Scalar { text, style }) => {
            check_scalar(kind, text, *style, node, path, findings)
        }
        (_, Value::List(_) | Value::Map(_)) => {
            let message = format!("{} where a single value is expected", node.noun());
            findings.problem(path, node, message, None);
        }
    }
}

fn check_scalar(
    kind: Kind,
    text: &str,
    style: Style,
    node: &Node,
    path: &str,
    findings: &mut Findings,
) {
    match kind {
        Kind::Boolean => check_boolean(text, style, node, path, findings),
        Kind::Integer if scalar::integer(text).is_none() => {
            findings.problem(path, node, "must be a whole number", None);
        }
        Kind::Choice(words)
            if !words.contains(&text.to_lowercase().as_str()) && !text.is_empty() =>
        {
            findings.problem(path, node, format!("must be one of {}", words.join(", ")), None);
        }
        Kind::Duration | Kind::Period => check_duration(kind, text, node, path, findings),
        Kind::Section
        | Kind::Open
        | Kind::List
        | Kind::Text
        | Kind::Secret
        | Kind::Choice(_)
        | Kind::Integer => {}
    }
}

fn check_boolean(text: &str, style: Style, node: &Node, path: &str, findings: &mut Findings) {
    match (scalar::boolean(text), style) {
        (None, _) => {
            findings.problem(path, node, "must be a boolean", Some("write `true` or `false`"));
        }
        (Some(meant), Style::Quoted) => {
            let message =
                format!("taken as {meant}; Distribution refuses or ignores a quoted boolean");
            findings.warning(path, node, message);
        }
        (Some(_), Style::Plain) => {}
    }
}

fn check_duration(kind: Kind, text: &str, node: &Node, path: &str, findings: &mut Findings) {
    const EXAMPLE: &str = "write a number with its unit: `90s`, `1h30m`, `250ms`";
    let bare = scalar::integer(text);
    match (bare, duration::parse(text)) {
        (None, Err(NotADuration::Syntax)) => {
            findings.problem(path, node, "must be a duration", Some(EXAMPLE));
        }
        (Some(..=-1), _) | (_, Err(NotADuration::Negative)) => {
            findings.problem(path, node, "must not be negative", Some(EXAMPLE));
        }
        (None, Err(NotADuration::TooLong)) => {
            findings.problem(path, node, "longer than 292 years", Some(EXAMPLE));
        }
        (Some(_), _) if kind == Kind::Period => {
            findings.problem(path, node, "must be a duration with a unit", Some(EXAMPLE));
        }
        (None, Ok(duration)) if kind == Kind::Period && duration.is_zero() => {
            findings.problem(path, node, "must be longer than nothing", Some(EXAMPLE));
        }
        (Some(count @ 1..), _) => {
            let message = format!(
                "a number without a unit is nanoseconds: {count}ns; \
                 write `{count}s` or `{count}ms` if that was meant"
            );
            findings.warning(path, node, message);
        }
        (Some(_), _) | (None, Ok(_)) => {}
    }
}
