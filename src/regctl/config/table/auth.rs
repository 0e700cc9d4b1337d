//! `[registry.auth]`: who may do what.

use super::{
    Key,
    Kind::{Choices, Flag, Label, Path, PathOrUrl, Prefix, WebUrl},
    Section,
};

/// How tokens may be signed, as Distribution 3 names it: never with a key that could also make them.
const ALGORITHMS: &[&str] =
    &["EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"];

pub(super) const SECTIONS: &[Section] = &[
    Section::new(
        "registry.auth",
        None,
        "who may do what",
        &[Key::new(
            "none",
            Flag,
            Some("false"),
            "anyone who reaches the registry may read and write",
        )],
    ),
    Section::new(
        "registry.auth.htpasswd",
        None,
        "users in a file; `regctl user` edits it",
        &[
            Key::new("realm", Label, Some("\"Registry\""), "the realm that clients show"),
            Key::new(
                "path",
                Path,
                Some("\"etc/regctl/htpasswd\""),
                "the file of users and passwords",
            ),
        ],
    ),
    Section::new(
        "registry.auth.token",
        None,
        "tokens from a server other than GitLab",
        &[
            Key::new("realm", WebUrl, None, "the URL that issues tokens"),
            Key::new("service", Label, None, "this registry's name in tokens"),
            Key::new("issuer", Label, None, "the issuer's name in tokens"),
            Key::new("rootcertbundle", Path, None, "certificates that verify tokens"),
            Key::new(
                "jwks",
                PathOrUrl,
                None,
                "keys that verify tokens, as a JSON Web Key Set: a file, or a URL",
            ),
            Key::new("signingalgorithms", Choices(ALGORITHMS), None, "accepted algorithms"),
            Key::new("autoredirect", Flag, Some("false"), "the realm follows the request's host"),
            Key::new(
                "autoredirectpath",
                Prefix,
                None,
                "the realm's path then; Distribution's is /auth/token",
            ),
        ],
    ),
    Section::new(
        "registry.auth.silly",
        None,
        "a test double of Distribution: any Authorization header will do",
        &[
            Key::new("realm", Label, None, "the realm that clients show"),
            Key::new("service", Label, None, "this registry's name"),
        ],
    ),
];
