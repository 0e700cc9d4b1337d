//! Who may do what: one way in, complete, and nothing set that another way would need.

use std::ops::Range;

use super::{
    super::{
        derive::ISSUES_TOKENS,
        table::{self, Kind},
    },
    Findings, Settings,
};
use crate::certificate::{self, Pair, Validity};

const HTPASSWD: &str = "registry.auth.htpasswd";
const TOKEN: &str = "registry.auth.token";
const SILLY: &str = "registry.auth.silly";
const NONE: &str = "registry.auth.none";

const KEY: &str = "registry.internal_key";
const CERTIFICATE: &str = "registry.internal_certificate";

pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    one_way(settings, findings);
    whole_realm(settings, findings);
    incomplete(settings, findings);
    twice(settings, findings);
    without_tokens(settings, findings);
    group_of_nothing(settings, findings);
    half_a_pair(settings, findings);
    unfit_pair(settings, findings);
}

/// Whether anyone who reaches the registry may do everything, whatever the reason.
pub(super) fn lets_everybody_in(settings: &Settings) -> bool {
    !settings.has_table(HTPASSWD) && !settings.takes_tokens()
}

/// A way in, as messages name it.
struct Way {
    name: String,
    at: Range<usize>,
    key: &'static str,
}

fn ways(settings: &Settings, findings: &Findings<'_>) -> Vec<Way> {
    let table = |key: &'static str| {
        let opened = settings.tables().find(|(path, _)| *path == key);
        opened.map(|(_, at)| Way { name: format!("[{key}]"), at: at.clone(), key })
    };
    let assigned = |key: &'static str| {
        let at = settings.written(key)?;
        Some(Way { name: findings.assignment(key, &at), at, key })
    };
    // A realm only says where else GitLab is.
    let gitlab = assigned("external_url").or_else(|| assigned("registry.token_realm"));
    let none = assigned(NONE).filter(|_| settings.flag(NONE) == Some(true));
    let tables = [HTPASSWD, TOKEN, SILLY].into_iter().filter_map(table);
    let mut ways: Vec<_> = gitlab.into_iter().chain(none).chain(tables).collect();
    ways.sort_by_key(|way| way.at.start);
    ways
}

fn one_way(settings: &Settings, findings: &mut Findings<'_>) {
    let ways = ways(settings, findings);
    let Some((first, others)) = ways.split_first() else { return };
    let line = findings.line(&first.at);
    for Way { name, at, key } in others {
        let message = format!(
            "{name} is a second way to let users in: line {line} already has {}",
            first.name
        );
        let hint = "there is one: GitLab's tokens (external_url, token_realm) or one table of [registry.auth]; remove the others";
        findings.problem(at, key, message, hint);
    }
}

/// GitLab's URL is meant, and the path is added to it.
fn whole_realm(settings: &Settings, findings: &mut Findings<'_>) {
    for key in ["registry.token_realm", "external_url"] {
        let (Some(at), Some(url)) = (settings.written(key), settings.web_url(key)) else {
            continue;
        };
        if url.to_string().trim_end_matches('/').ends_with(ISSUES_TOKENS) {
            let message = format!(
                "{}: must be GitLab's own URL; {ISSUES_TOKENS} is added to it",
                findings.assignment(key, &at)
            );
            findings.problem(&at, key, message, "leave out /jwt/auth");
        }
    }
}

/// What a table needs and nothing else can say.
fn incomplete(settings: &Settings, findings: &mut Findings<'_>) {
    for (table, names) in
        [(TOKEN, &["realm", "service", "issuer"][..]), (SILLY, &["realm", "service"])]
    {
        for name in names {
            needs(settings, findings, table, name, "it has no default");
        }
    }
    let jwks = format!("{TOKEN}.jwks");
    if settings.get(&jwks).is_none() && !settings.is_spoiled(&jwks) {
        needs(
            settings,
            findings,
            TOKEN,
            "rootcertbundle",
            "nothing verifies tokens: name the issuer's certificate, or its keys as `jwks`",
        );
    }
}

fn needs(settings: &Settings, findings: &mut Findings<'_>, table: &str, name: &str, hint: &str) {
    let key = format!("{table}.{name}");
    let opened = settings.tables().find(|(path, _)| *path == table).map(|(_, at)| at.clone());
    let Some(opened) = opened.filter(|_| settings.get(&key).is_none()) else { return };
    if !settings.is_spoiled(&key) {
        findings.problem(&opened, &key, format!("[{table}] needs `{name}`"), hint);
    }
}

/// One setting under its gitlab.rb name and under Distribution's.
fn twice(settings: &Settings, findings: &mut Findings<'_>) {
    for name in ["rootcertbundle", "autoredirect"] {
        let (old, new) = (format!("registry.{name}"), format!("{TOKEN}.{name}"));
        if let (Some(at), Some(other)) = (settings.written(&old), settings.written(&new)) {
            let line = findings.line(&other);
            let assignment = findings.assignment(&old, &at);
            let message = format!("{assignment} sets what `{new}` on line {line} sets already");
            findings.problem(&at, &old, message, "remove one of the two");
        }
    }
}

/// Settings of tokens are lost where no tokens are taken, and GitLab's where GitLab issues none.
fn without_tokens(settings: &Settings, findings: &mut Findings<'_>) {
    const OF_TOKENS: [&str; 2] = ["registry.rootcertbundle", "registry.autoredirect"];
    const OF_GITLAB: [&str; 7] = [
        KEY,
        "registry.internal_key_file",
        CERTIFICATE,
        "registry.internal_certificate_file",
        "gitlab_rails.registry_issuer",
        "gitlab_rails.registry_key_path",
        "gitlab_rails.registry_key_group",
    ];
    let gitlab = settings.gitlab().is_some()
        || ["external_url", "registry.token_realm"].iter().any(|key| settings.is_spoiled(key));
    let of_tokens = OF_TOKENS.iter().filter(|_| !gitlab && !settings.takes_tokens());
    for key in of_tokens.chain(OF_GITLAB.iter().filter(|_| !gitlab)) {
        let Some(at) = settings.written(key) else { continue };
        let assignment = named(findings, key, &at);
        let message =
            format!("{assignment} does nothing: GitLab issues no tokens for this registry");
        findings.warn(&at, key, message, "set external_url, above the first [table]");
    }
}

fn group_of_nothing(settings: &Settings, findings: &mut Findings<'_>) {
    const GROUP: &str = "gitlab_rails.registry_key_group";
    const PATH: &str = "gitlab_rails.registry_key_path";
    let has_path = settings.written(PATH).is_some() || settings.is_spoiled(PATH);
    if let Some(at) = settings.written(GROUP).filter(|_| !has_path && settings.gitlab().is_some()) {
        let message =
            format!("{} does nothing: no key is written", findings.assignment(GROUP, &at));
        findings.warn(&at, GROUP, message, "set registry_key_path");
    }
}

/// Half a pair would be completed by a generated half that does not match.
fn half_a_pair(settings: &Settings, findings: &mut Findings<'_>) {
    for (half, other) in [(KEY, CERTIFICATE), (CERTIFICATE, KEY)] {
        if settings.get(other).is_some() || settings.is_spoiled(other) {
            continue;
        }
        if let Some((key, span)) = written_half(settings, half) {
            let message = format!("{} is set without `{other}`", findings.assignment(&key, &span));
            let hint = "they are one pair: set both, or neither for a generated pair";
            findings.problem(&span, &key, message, hint);
        }
    }
}

/// A pair that cannot be used is a registry that refuses every token, with nothing to see before.
fn unfit_pair(settings: &Settings, findings: &mut Findings<'_>) {
    let (Some(key), Some(certificate)) = (settings.secret(KEY), settings.text(CERTIFICATE)) else {
        return;
    };
    let (Some((key_name, key_at)), Some((name, at))) =
        (written_half(settings, KEY), written_half(settings, CERTIFICATE))
    else {
        return;
    };
    let (shown, shown_key) = (named(findings, &name, &at), named(findings, &key_name, &key_at));
    match (Pair { key, certificate }).check(findings.now) {
        Err(unfit) => {
            let message = certificate::describe(unfit, &shown, &shown_key);
            let hint = "set both halves of one pair, or neither for a generated one";
            findings.problem(&at, &name, message, hint);
        }
        Ok(Validity::EndsOn(date)) => {
            let hint = "make a new pair, and give GitLab its key";
            findings.warn(&at, &name, format!("{shown} expires on {date}"), hint);
        }
        Ok(_) => {}
    }
}

/// Returns the key that gives a half of the pair its value, with its place.
fn written_half(settings: &Settings, half: &str) -> Option<(String, Range<usize>)> {
    [half.to_owned(), format!("{half}_file")]
        .into_iter()
        .find_map(|key| settings.written(&key).map(|span| (key, span)))
}

/// Returns how messages show a key: PEM without its value, which says nothing to a person.
fn named(findings: &Findings<'_>, key: &str, at: &Range<usize>) -> String {
    match table::find(key).map(|(_, row)| row.kind) {
        Some(Kind::Pem | Kind::SecretPem) => format!("`{key}`"),
        _ => findings.assignment(key, at),
    }
}
