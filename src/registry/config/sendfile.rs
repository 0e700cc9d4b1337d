//! `regctl.sendfile`: the nginx that may send blobs itself, and how it is known.

use http::HeaderName;

use super::{
    Secret,
    check::Findings,
    tree::{Node, Value},
};

const SECTION: &str = "regctl.sendfile";

/// Whoever guesses the secret learns where blobs lie, and gets none of them.
const SECRET_CHARS_MIN: usize = 16;

/// `regctl.sendfile`: nginx reads large blobs from the storage's folder, and the registry says which and to whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sendfile {
    /// What nginx proves itself with. A request without it is any client's.
    pub secret: Secret,
    /// Where nginx has the storage's folder: a path that begins and ends with a slash.
    pub location: String,
    /// The headers of every answer that nginx says again.
    pub headers: Vec<HeaderName>,
}

/// Reads the section; none where it is not there, or where it is wrong, which is reported.
pub(super) fn read(root: &Node, findings: &mut Findings) -> Option<Sendfile> {
    let node = root.find(SECTION).filter(|node| !node.is_empty())?;
    let secret = secret(root, node, findings);
    let location = location(root, node, findings);
    let headers = headers(root, findings);
    Some(Sendfile { secret: secret?, location: location?, headers })
}

fn secret(root: &Node, section: &Node, findings: &mut Findings) -> Option<Secret> {
    let path = "regctl.sendfile.secret";
    let node = root.find(path);
    let text = node.and_then(Node::text).unwrap_or_default();
    if text.len() >= SECRET_CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(Secret::new(text));
    }
    let message = format!("must have {SECRET_CHARS_MIN} visible characters at the least");
    findings.problem(path, node.unwrap_or(section), message, None);
    None
}

fn location(root: &Node, section: &Node, findings: &mut Findings) -> Option<String> {
    let path = "regctl.sendfile.location";
    let node = root.find(path);
    let text = node.and_then(Node::text).unwrap_or_default();
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~=/".contains(&byte);
    if text.len() > 1 && text.starts_with('/') && text.ends_with('/') && text.bytes().all(fine) {
        return Some(text.to_owned());
    }
    let message = "must be the path of a location, with a slash at both ends";
    findings.problem(path, node.unwrap_or(section), message, Some("write `/blobs/`"));
    None
}

fn headers(root: &Node, findings: &mut Findings) -> Vec<HeaderName> {
    let path = "regctl.sendfile.headers";
    let Some(Value::List(items)) = root.find(path).map(|node| &node.value) else {
        return Vec::new();
    };
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        match item.text().map(str::parse) {
            Some(Ok(name)) => names.push(name),
            Some(Err(_)) | None => {
                findings.problem(path, item, "must be names of headers", None);
            }
        }
    }
    names
}
