//! `auth`: who may do what, by one type of authorization.

use std::{collections::BTreeSet, fmt, path::PathBuf, str::FromStr};

use super::{
    Origin,
    check::Findings,
    keys, scalar,
    tree::{Entry, Node},
    web_url::{NotAUrl, WebUrl},
};

/// Where Distribution 3 sends clients when `autoredirectpath` does not say.
const REDIRECT_PATH: &str = "/auth/token";

/// The one type of authorization.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Auth {
    /// Everybody may do everything.
    None,
    /// `auth.silly`: any `Authorization` header will do.
    Silly(Silly),
    /// `auth.htpasswd`: users and passwords in a file.
    Htpasswd(Htpasswd),
    /// `auth.token`: tokens of an authorization service.
    Token(Token),
}

/// `auth.silly`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Silly {
    /// What the client is shown, or where it should go.
    pub realm: HeaderText,
    /// The name of this registry.
    pub service: HeaderText,
}

/// `auth.htpasswd`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Htpasswd {
    /// What the client is shown.
    pub realm: HeaderText,
    /// The file, with bcrypt hashes.
    pub path: PathBuf,
}

/// `auth.token`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// Where clients get tokens.
    pub realm: TokenRealm,
    /// The name of this registry: the audience of tokens.
    pub service: HeaderText,
    /// The only issuer whose tokens count.
    pub issuer: String,
    /// Certificates whose keys, and whose descendants' keys, verify tokens.
    pub root_cert_bundle: Option<PathBuf>,
    /// A JSON Web Key Set whose keys verify tokens. One of the two is there.
    pub jwks: Option<Jwks>,
    /// What tokens may be signed with.
    pub algorithms: BTreeSet<Algorithm>,
}

/// Where a JSON Web Key Set is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Jwks {
    /// A file, read again when it changes.
    File(PathBuf),
    /// Published by the issuer, and asked for now and then.
    Url(WebUrl),
}

/// Where clients get tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TokenRealm {
    /// `realm`, a URL.
    Fixed(HeaderText),
    /// `autoredirect`: this path on the host that the client named.
    OwnHost(HeaderText),
}

/// Text that can stand between quotes in a header: visible ASCII and spaces.
///
/// `Display` is the text as such; quotes and backslashes are escaped by whoever quotes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderText(String);

/// A text is empty or has more than visible ASCII and spaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be visible ASCII, in one line")]
pub struct NotHeaderText;

/// How tokens may be signed: with a private key, so that whoever verifies them cannot make any.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(missing_docs, reason = "the names are those of RFC 7518 and RFC 8037")]
pub enum Algorithm {
    EdDsa,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
}

impl FromStr for HeaderText {
    type Err = NotHeaderText;

    fn from_str(text: &str) -> Result<Self, NotHeaderText> {
        let fine = !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if fine { Ok(Self(text.to_owned())) } else { Err(NotHeaderText) }
    }
}

impl fmt::Display for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Algorithm {
    /// Every algorithm, as Distribution 3 orders them.
    pub const ALL: [Self; 9] = [
        Self::EdDsa,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
    ];

    /// The name in a token's header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }
}

/// Reads the one type that is named; anything else is a problem, and the answer is not used then.
pub(super) fn read(root: &Node, findings: &mut Findings) -> Auth {
    let Some(section) = root.find("auth") else { return Auth::None };
    let known = keys::children("auth");
    for entry in section.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let path = keys::join("auth", &entry.key);
        let advice = Some("the types are none, silly, htpasswd and token");
        findings.problem(&path, &Node::null(entry.origin.clone()), "no type of auth", advice);
    }
    let entry = match section.entries() {
        [] => return Auth::None,
        [entry] => entry,
        [first, second, ..] => {
            let message = format!("two types, `{}` and `{}`", first.key, second.key);
            findings.problem("auth", section, message, Some("keep one"));
            return Auth::None;
        }
    };
    // A value that is no map has been reported for what it is.
    if entry.node.entries().is_empty() && !entry.node.is_empty() {
        return Auth::None;
    }
    let mut options = Options { root, entry, findings };
    let auth = match entry.key.as_str() {
        "silly" => silly(&mut options),
        "htpasswd" => htpasswd(&mut options),
        "token" => token(&mut options),
        _ => return Auth::None,
    };
    // What is missing has been reported, so nobody gets to see this.
    auth.unwrap_or(Auth::None)
}

fn silly(options: &mut Options<'_>) -> Option<Auth> {
    let message = "lets in whoever sends any `Authorization` header: for tests only";
    options.findings.warning("auth.silly", &options.entry.node, message);
    let realm = options.header_text("realm");
    let service = options.header_text("service");
    Some(Auth::Silly(Silly { realm: realm?, service: service? }))
}

fn htpasswd(options: &mut Options<'_>) -> Option<Auth> {
    let realm = options.header_text("realm");
    let path = options.required("path").map(|(_, text)| PathBuf::from(text));
    Some(Auth::Htpasswd(Htpasswd { realm: realm?, path: path? }))
}

fn token(options: &mut Options<'_>) -> Option<Auth> {
    let realm = token_realm(options);
    let service = options.header_text("service");
    let issuer = options.required("issuer").map(|(_, text)| text.to_owned());
    let root_cert_bundle = options.text("rootcertbundle").map(|(_, text)| PathBuf::from(text));
    let jwks = jwks(options);
    if root_cert_bundle.is_none() && options.text("jwks").is_none() {
        let advice = "set `rootcertbundle` to the file with the issuer's certificate";
        options.problem("rootcertbundle", "there is no key to verify tokens with", advice);
    }
    let algorithms = algorithms(options);
    let (realm, service, issuer) = (realm?, service?, issuer?);
    Some(Auth::Token(Token { realm, service, issuer, root_cert_bundle, jwks, algorithms }))
}

fn token_realm(options: &mut Options<'_>) -> Option<TokenRealm> {
    let redirects = options.text("autoredirect").and_then(|(_, text)| scalar::boolean(text));
    if redirects != Some(true) {
        return options.header_text("realm").map(TokenRealm::Fixed);
    }
    let Some((node, path)) = options.text("autoredirectpath") else {
        return REDIRECT_PATH.parse().ok().map(TokenRealm::OwnHost);
    };
    match path.parse() {
        Ok(path) if node.text().is_some_and(|text| text.starts_with('/')) => {
            Some(TokenRealm::OwnHost(path))
        }
        Ok(_) | Err(NotHeaderText) => {
            let path = options.path("autoredirectpath");
            let message = "must be a path that begins with a slash";
            options.findings.problem(&path, node, message, Some("write `/auth/token`"));
            None
        }
    }
}

fn jwks(options: &mut Options<'_>) -> Option<Jwks> {
    let (node, text) = options.text("jwks")?;
    if !text.contains("://") {
        return Some(Jwks::File(PathBuf::from(text)));
    }
    let path = options.path("jwks");
    // What stands before an @ may be a password.
    let shown = if text.contains('@') { &Node::null(node.origin.clone()) } else { node };
    match text.parse::<WebUrl>() {
        Ok(url) => {
            if url.is_plain() {
                let message = "asked for without TLS: whoever is on the way can let everybody in";
                options.findings.warning(&path, node, message);
            }
            Some(Jwks::Url(url))
        }
        Err(error @ NotAUrl) => {
            options.findings.problem(&path, shown, error.to_string(), None);
            None
        }
    }
}

/// `signingalgorithms`: every one that verifies with a public key, when unset.
fn algorithms(options: &mut Options<'_>) -> BTreeSet<Algorithm> {
    let path = options.path("signingalgorithms");
    let Some(list) = options.root.find(&path).filter(|list| !list.items().is_empty()) else {
        return BTreeSet::from(Algorithm::ALL);
    };
    let mut algorithms = BTreeSet::new();
    let mut shared_secret = false;
    for item in list.items() {
        let name = item.text().unwrap_or_default();
        let names = Algorithm::ALL.map(Algorithm::as_str).join(", ");
        match Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name) {
            Some(algorithm) => _ = algorithms.insert(algorithm),
            None if matches!(name, "HS256" | "HS384" | "HS512") => {
                let message = format!("{name} is left out: no public key verifies it");
                options.findings.warning(&path, item, message);
                shared_secret = true;
            }
            None => {
                let message = format!("`{}` is none of {names}", name.escape_debug());
                options.findings.problem(&path, item, message, None);
            }
        }
    }
    if algorithms.is_empty() && shared_secret {
        let message = "no token could be verified by any of these";
        options.findings.problem(&path, list, message, Some("add RS256"));
    }
    algorithms
}

/// The options of the type that is named.
struct Options<'a> {
    root: &'a Node,
    entry: &'a Entry,
    findings: &'a mut Findings,
}

impl<'a> Options<'a> {
    fn path(&self, name: &str) -> String {
        format!("auth.{}.{name}", self.entry.key)
    }

    fn text(&self, name: &str) -> Option<(&'a Node, &'a str)> {
        let node = self.root.find(&self.path(name))?;
        node.text().filter(|text| !text.is_empty()).map(|text| (node, text))
    }

    fn problem(&mut self, name: &str, message: &str, advice: &str) {
        let origin = match self.entry.origin.clone() {
            Origin::Absent => self.entry.node.origin.clone(),
            origin => origin,
        };
        self.findings.problem(&self.path(name), &Node::null(origin), message, Some(advice));
    }

    fn required(&mut self, name: &str) -> Option<(&'a Node, &'a str)> {
        let found = self.text(name);
        // A map or a list has been reported for what it is.
        let is_other = self.root.find(&self.path(name)).is_some_and(|node| node.text().is_none());
        if found.is_none() && !is_other {
            let advice = format!("`auth.{}` cannot do without it", self.entry.key);
            self.problem(name, "missing", &advice);
        }
        found
    }

    fn header_text(&mut self, name: &str) -> Option<HeaderText> {
        let (node, text) = self.required(name)?;
        match text.parse() {
            Ok(text) => Some(text),
            Err(error @ NotHeaderText) => {
                self.findings.problem(&self.path(name), node, error.to_string(), None);
                None
            }
        }
    }
}
