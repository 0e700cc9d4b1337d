//! Stage two: variables such as `REGISTRY_HTTP_ADDR` change the tree.
//!
//! They are applied in lexical order, and their values are YAML. The names are those that
//! Distribution derives from its Go structs, which now and then are not the keys of the file.

use super::{
    Origin, Problem, Warning,
    keys::{self, Kind, nearest},
    tree::{Entry, Node, Value},
    yaml::{self, Source},
};

const PREFIX: &str = "REGISTRY_";
/// Names the file itself, to Distribution's command line.
const CONFIGURATION_PATH: &str = "REGISTRY_CONFIGURATION_PATH";

/// Keys whose Go field has another name.
const FIELD_NAMES: &[(&str, &str)] = &[
    ("health.file", "FILECHECKERS"),
    ("health.http", "HTTPCHECKERS"),
    ("health.tcp", "TCPCHECKERS"),
    ("notifications.events", "EVENTCONFIG"),
    ("compatibility.schema1.signingkeyfile", "TRUSTKEY"),
];

/// Changes the tree by every variable that is meant for it.
pub(super) fn apply(
    root: &mut Node,
    environment: &[(String, String)],
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Warning>,
) {
    let mut variables: Vec<&(String, String)> = environment
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX) && name != CONFIGURATION_PATH)
        .collect();
    variables.sort();
    for (name, text) in variables {
        let segments: Vec<&str> = name[PREFIX.len()..].split('_').collect();
        match yaml::parse(text, Source::Variable(name), warnings) {
            Err(_) => {
                // Somebody else's variable may hold anything.
                let nothing = Node::null(Origin::Environment(name.clone()));
                match set(&mut root.clone(), "", &segments, nothing) {
                    Err(Refusal::Unrecognized) => warnings.push(unrecognized(name)),
                    Ok(()) | Err(Refusal::BeyondEnd(_)) => problems.push(not_yaml(name)),
                }
            }
            Ok(mut value) => {
                value.origin = Origin::Environment(name.clone());
                match set(root, "", &segments, value) {
                    Ok(()) => {}
                    Err(Refusal::Unrecognized) => warnings.push(unrecognized(name)),
                    Err(Refusal::BeyondEnd(length)) => problems.push(beyond_end(name, length)),
                }
            }
        }
    }
}

/// Turns `storage: inmemory` and `auth: none` into maps of that one name.
pub(super) fn spread_names(root: &mut Node) {
    let Value::Map(entries) = &mut root.value else { return };
    for entry in entries {
        if entry.key == "storage" || entry.key == "auth" {
            spread_name(&mut entry.node);
        }
    }
}

fn spread_name(node: &mut Node) {
    if let Some(text) = node.text() {
        let origin = node.origin.clone();
        let name = Entry {
            key: text.to_owned(),
            origin: origin.clone(),
            node: Node::null(origin.clone()),
        };
        *node = Node::map(vec![name], origin);
    }
}

enum Refusal {
    Unrecognized,
    BeyondEnd(usize),
}

/// Sets the value below `node`, which stands at `path`, that `segments` name.
fn set(node: &mut Node, path: &str, segments: &[&str], value: Node) -> Result<(), Refusal> {
    let [segment, rest @ ..] = segments else {
        *node = value;
        return Ok(());
    };
    if path == "storage" || path == "auth" {
        spread_name(node);
    }
    if matches!(node.value, Value::List(_))
        || keys::find(path).is_some_and(|key| key.kind == Kind::List)
    {
        return set_item(node, path, segment, rest, value);
    }
    let name = child_name(node, path, segment).ok_or(Refusal::Unrecognized)?;
    if path.is_empty() && name == "version" {
        return Err(Refusal::Unrecognized);
    }
    let child_path = keys::join(path, &name);
    let origin = value.origin.clone();
    // Nothing is created on the way to a name that is then not known.
    let mut child = take_child(node, &name).unwrap_or_else(|| Entry {
        key: name,
        origin: origin.clone(),
        node: Node::null(origin.clone()),
    });
    let result = set(&mut child.node, &child_path, rest, value);
    if result.is_ok() || child.origin != origin {
        put_child(node, child, origin);
    }
    result
}

fn set_item(
    node: &mut Node,
    path: &str,
    segment: &str,
    rest: &[&str],
    value: Node,
) -> Result<(), Refusal> {
    let index: usize = segment.parse().map_err(|_| Refusal::Unrecognized)?;
    if !matches!(node.value, Value::List(_)) {
        node.value = Value::List(Vec::new());
    }
    let Value::List(items) = &mut node.value else { return Err(Refusal::Unrecognized) };
    if index > items.len() {
        return Err(Refusal::BeyondEnd(items.len()));
    }
    if index == items.len() {
        items.push(Node::null(value.origin.clone()));
    }
    set(&mut items[index], &format!("{path}[]"), rest, value)
}

/// The key that a segment means: of a struct a known one, of a map any.
fn child_name(node: &Node, path: &str, segment: &str) -> Option<String> {
    if segment.is_empty() {
        return None;
    }
    if is_map(path) {
        let present = node.entries().iter().find(|entry| entry.key.eq_ignore_ascii_case(segment));
        return Some(
            present.map_or_else(|| segment.to_ascii_lowercase(), |entry| entry.key.clone()),
        );
    }
    keys::children(path)
        .into_iter()
        .find(|name| field_name(&keys::join(path, name)) == segment)
        .map(str::to_owned)
}

/// Whether Distribution keeps what stands here in a Go map, which takes any key.
fn is_map(path: &str) -> bool {
    let below = |section: &str| path == section || path.starts_with(&format!("{section}."));
    below("storage")
        || below("auth")
        || keys::KEYS.iter().any(|key| key.kind == Kind::Open && below(key.path))
}

fn field_name(path: &str) -> String {
    match FIELD_NAMES.iter().find(|(key, _)| *key == path) {
        Some((_, field)) => (*field).to_owned(),
        None => path.rsplit('.').next().unwrap_or(path).to_ascii_uppercase(),
    }
}

fn take_child(node: &mut Node, name: &str) -> Option<Entry> {
    let Value::Map(entries) = &mut node.value else { return None };
    let index = entries.iter().position(|entry| entry.key == name)?;
    Some(entries.remove(index))
}

fn put_child(node: &mut Node, child: Entry, origin: Origin) {
    match &mut node.value {
        Value::Map(entries) => entries.push(child),
        Value::Scalar { .. } | Value::List(_) => *node = Node::map(vec![child], origin),
    }
}

fn not_yaml(name: &str) -> Problem {
    Problem {
        key: String::new(),
        value: None,
        message: "the value is not YAML".to_owned(),
        advice: Some("quote it: NAME='\"value\"'".to_owned()),
        origin: Origin::Environment(name.to_owned()),
    }
}

fn beyond_end(name: &str, length: usize) -> Problem {
    Problem {
        key: String::new(),
        value: None,
        message: format!("beyond the end of the list, which has {length}"),
        advice: Some(format!("the next number is {length}")),
        origin: Origin::Environment(name.to_owned()),
    }
}

fn unrecognized(name: &str) -> Warning {
    let known: Vec<String> = keys::KEYS.iter().filter_map(|key| variable(key.path)).collect();
    let hint = match nearest(&name[PREFIX.len()..], known.iter().map(String::as_str)) {
        _ if name == "REGISTRY_VERSION" => "; the version cannot be overridden".to_owned(),
        Some(near) => format!("; did you mean {PREFIX}{near}?"),
        None => String::new(),
    };
    Warning {
        key: String::new(),
        message: format!("ignoring unrecognized environment variable {name}{hint}"),
        origin: Origin::Absent,
    }
}

/// The variable that sets a key, without its prefix; none in lists, where each item has one.
fn variable(path: &str) -> Option<String> {
    if path.contains("[]") || path == "version" {
        return None;
    }
    let ends = path.match_indices('.').map(|(end, _)| end).chain([path.len()]);
    let names: Vec<String> = ends.map(|end| field_name(&path[..end])).collect();
    Some(names.join("_"))
}
