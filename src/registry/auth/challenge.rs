//! `WWW-Authenticate`: how a client that is not let in may try again, in Distribution's words.

use std::fmt::{Display, Write};

use http::HeaderValue;

use super::access::{Access, Wanted};
use crate::config::HeaderText;

/// Why a token did not do, as RFC 6750 names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    InvalidToken,
    InsufficientScope,
}

/// Asks for a name and a password.
pub(super) fn basic(realm: &HeaderText) -> HeaderValue {
    value(format!("Basic realm={}", quoted(realm)))
}

/// Asks for a token with everything that the request wants.
pub(super) fn bearer(
    realm: impl Display,
    service: &HeaderText,
    wanted: &Wanted,
    fault: Option<Fault>,
) -> HeaderValue {
    let mut text = format!("Bearer realm={},service={}", quoted(realm), quoted(service));
    let scope = scope(wanted);
    if !scope.is_empty() {
        text.push_str(",scope=");
        text.push_str(&quoted(scope));
    }
    text.push_str(match fault {
        None => "",
        Some(Fault::InvalidToken) => ",error=\"invalid_token\"",
        Some(Fault::InsufficientScope) => ",error=\"insufficient_scope\"",
    });
    value(text)
}

/// Asks for anything, as Distribution's `silly`, which writes each action apart.
pub(super) fn silly(realm: &HeaderText, service: &HeaderText, wanted: &Wanted) -> HeaderValue {
    let mut text = format!("Bearer realm={},service={}", quoted(realm), quoted(service));
    let scopes: Vec<_> = wanted.all().map(Access::to_string).collect();
    if !scopes.is_empty() {
        text.push_str(",scope=");
        text.push_str(&quoted(scopes.join(" ")));
    }
    value(text)
}

/// `repository:a/b:pull,push repository:c:pull`: each resource once, in the order of the request.
fn scope(wanted: &Wanted) -> String {
    let mut scopes: Vec<Vec<&Access>> = Vec::new();
    for access in wanted.all() {
        match scopes.iter_mut().find(|scope| scope[0].resource == access.resource) {
            Some(scope) if scope.iter().any(|known| known.action == access.action) => {}
            Some(scope) => scope.push(access),
            None => scopes.push(vec![access]),
        }
    }
    let mut text = String::new();
    for (index, scope) in scopes.iter().enumerate() {
        let separator = if index == 0 { "" } else { " " };
        let _ = write!(text, "{separator}{}", scope[0]);
        for access in &scope[1..] {
            let _ = write!(text, ",{}", access.action.as_str());
        }
    }
    text
}

fn quoted(text: impl Display) -> String {
    let text = text.to_string();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text)
        .expect("settings, names of repositories and hosts are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::access::{Action, Resource};

    fn text(text: &str) -> HeaderText {
        text.parse().unwrap()
    }

    fn to(name: &str, action: Action) -> Access {
        Access::to_repository(&name.parse().unwrap(), action)
    }

    fn push(welcome: Option<Access>) -> Wanted {
        Wanted { required: vec![to("a/b", Action::Pull), to("a/b", Action::Push)], welcome }
    }

    #[test]
    fn a_realm_is_quoted_as_go_does() {
        assert_eq!(basic(&text(r#"a "b" \c"#)), r#"Basic realm="a \"b\" \\c""#);
    }

    #[test]
    fn a_scope_names_each_resource_once() {
        let (realm, service) = (text("https://auth.example.com/token"), text("ours"));
        for (wanted, scope) in [
            (Wanted::default(), ""),
            (push(None), ",scope=\"repository:a/b:pull,push\""),
            (
                push(Some(to("c", Action::Pull))),
                ",scope=\"repository:a/b:pull,push repository:c:pull\"",
            ),
            (push(Some(to("a/b", Action::Pull))), ",scope=\"repository:a/b:pull,push\""),
            (
                Wanted {
                    required: vec![Access { resource: Resource::Catalog, action: Action::All }],
                    welcome: None,
                },
                ",scope=\"registry:catalog:*\"",
            ),
        ] {
            let expected =
                format!("Bearer realm=\"https://auth.example.com/token\",service=\"ours\"{scope}");
            assert_eq!(bearer(&realm, &service, &wanted, None), expected);
            let fault = format!("{expected},error=\"invalid_token\"");
            assert_eq!(bearer(&realm, &service, &wanted, Some(Fault::InvalidToken)), fault);
        }
    }

    #[test]
    fn silly_names_each_action_apart() {
        assert_eq!(
            silly(&text("r"), &text("s"), &push(None)),
            "Bearer realm=\"r\",service=\"s\",scope=\"repository:a/b:pull repository:a/b:push\""
        );
    }
}
