//! The registry by itself: its storage and its environment.

use std::path::{Component, Path, PathBuf};

use super::{super::table, Findings, Settings};

pub(super) fn check(settings: &Settings, findings: &mut Findings<'_>) {
    drivers(settings, findings);
    absurd_root(settings, findings);
    old_retries(settings, findings);
    written_twice(settings, findings);
    platforms(settings, findings);
    zero_durations(settings, findings);
    proxy(settings, findings);
    database(settings, findings);
    environment(settings, findings);
}

/// Whether a table names a storage driver.
fn is_driver(path: &str) -> bool {
    const DRIVERS: [&str; 8] =
        ["filesystem", "inmemory", "s3", "s3aws", "azure", "gcs", "swift", "oss"];
    path.strip_prefix("registry.storage.").is_some_and(|name| DRIVERS.contains(&name))
}

fn drivers(settings: &Settings, findings: &mut Findings<'_>) {
    let mut drivers: Vec<_> = settings
        .tables()
        .filter(|(path, _)| is_driver(path))
        .map(|(path, span)| (path.to_owned(), span.clone()))
        .collect();
    drivers.sort_by_key(|(_, span)| span.start);
    let Some(((first, first_span), others)) = drivers.split_first() else { return };
    let line = findings.line(first_span);
    for (other, span) in others {
        let message =
            format!("[{other}] is a second storage driver: line {line} already opened [{first}]");
        findings.problem(span, other, message, "a registry has one: remove one of the tables");
    }
    const PATH: &str = "gitlab_rails.registry_path";
    if let Some(span) = settings.written(PATH) {
        let assignment = findings.assignment(PATH, &span);
        let message =
            format!("{assignment} names the storage, and so does [{first}] on line {line}");
        findings.problem(&span, PATH, message, "remove one of the two");
    }
}

/// Folders of the system, where nothing else may be.
const SYSTEM: [&str; 10] = [
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/sbin",
];

/// Folders that hold others' folders: a registry may have one in there, and not all of it.
const SHARED: [&str; 5] = ["/", "/dev", "/run", "/usr", "/var"];

/// Images are not kept where the system keeps itself, nor where nobody finds them.
fn absurd_root(settings: &Settings, findings: &mut Findings<'_>) {
    for key in ["registry.storage.filesystem.rootdirectory", "gitlab_rails.registry_path"] {
        let (Some(at), Some(path)) = (settings.written(key), settings.path(key)) else { continue };
        let Some(why) = absurd(&path) else { continue };
        let message = format!("{}: {why}", findings.assignment(key, &at));
        let hint = "name a folder for images alone, such as \"/srv/registry\"";
        findings.problem(&at, key, message, hint);
    }
}

fn absurd(path: &Path) -> Option<&'static str> {
    if path.starts_with("~") {
        return Some("`~` is a folder of that name here, and nobody's home");
    }
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    let is_instances = || {
        let parts: Vec<_> = plain.iter().collect();
        parts.windows(2).any(|pair| pair == ["etc", "regctl"])
    };
    match () {
        () if plain.as_os_str().is_empty() || is_instances() => {
            Some("the instance's own files are there")
        }
        () if SHARED.iter().any(|folder| plain == Path::new(folder)) => {
            Some("others keep their folders there")
        }
        () if SYSTEM.iter().any(|folder| plain.starts_with(folder)) => {
            Some("the system keeps its own files there")
        }
        () => None,
    }
}

/// Retries have a new name since GitLab 17.1.
fn old_retries(settings: &Settings, findings: &mut Findings<'_>) {
    const OLD: &str = "registry.default_notifications_threshold";
    const HINT: &str = "write maxretries";
    if let Some(span) = settings.written(OLD) {
        let message =
            format!("`{OLD}` is the old name of `registry.default_notifications_maxretries`");
        findings.warn(&span, OLD, message, "write default_notifications_maxretries");
    }
    const KEY: &str = "registry.notifications";
    let endpoints = settings.notifications(KEY).unwrap_or_default();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.has_old_name) {
        let Some(span) = settings.written(KEY) else { return };
        let message =
            format!("`threshold` of endpoint `{}` is the old name of `maxretries`", endpoint.name);
        findings.warn(&span, KEY, message, HINT);
    }
}

fn written_twice(settings: &Settings, findings: &mut Findings<'_>) {
    for (old, new) in [
        ("registry.storage_delete_enabled", "registry.storage.delete.enabled"),
        ("registry.health_storagedriver_enabled", "registry.health.storagedriver.enabled"),
        ("registry.debug_addr", "registry.http.debug.addr"),
    ] {
        let (Some(span), Some(winner)) = (settings.written(old), settings.written(new)) else {
            continue;
        };
        let shown = |key| settings.get(key).map(|value| format!("{value:?}"));
        if shown(old) != shown(new) {
            let line = findings.line(&winner);
            let assignment = findings.assignment(old, &span);
            let message = format!("{assignment} is ignored: line {line} sets `{new}`");
            findings.warn(&span, old, message, "remove one of the two");
        }
    }
}

/// A list and the word for it go together.
fn platforms(settings: &Settings, findings: &mut Findings<'_>) {
    const WORD: &str = "registry.validation.manifests.indexes.platforms";
    const LIST: &str = "registry.validation.manifests.indexes.platformlist";
    let is_list = settings.text(WORD).as_deref() == Some("list");
    let has_items = settings.tables_of(LIST).is_some_and(|items| !items.is_empty());
    if let Some(at) =
        settings.written(WORD).filter(|_| is_list && !has_items && !settings.is_spoiled(LIST))
    {
        let message = format!("{} needs `{LIST}` too", findings.assignment(WORD, &at));
        let hint = "write `platformlist = [{ architecture = \"amd64\", os = \"linux\" }]`, or `platforms = \"none\"`";
        findings.problem(&at, WORD, message, hint);
    }
    if let Some(at) = settings.written(LIST).filter(|_| !is_list && !settings.is_spoiled(WORD)) {
        let message = format!("`{LIST}` does nothing: `platforms` is not \"list\"");
        findings.warn(&at, LIST, message, "write `platforms = \"list\"`, or remove it");
    }
}

fn zero_durations(settings: &Settings, findings: &mut Findings<'_>) {
    const PURGING: &str = "registry.storage.maintenance.uploadpurging";
    const TO_KEEP: &str = "to keep abandoned uploads, write `enabled = false` here";
    for (path, hint) in [
        (format!("{PURGING}.age"), TO_KEEP),
        (format!("{PURGING}.interval"), TO_KEEP),
        ("registry.lease".to_owned(), "an hour is longer than most pushes take: remove it"),
    ] {
        let zero = settings.duration(&path).is_some_and(|duration| duration.is_zero());
        if let Some(span) = settings.written(&path).filter(|_| zero) {
            let assignment = findings.assignment(&path, &span);
            let message = format!("{assignment}: must be longer than nothing");
            findings.problem(&span, &path, message, hint);
        }
    }
}

/// A proxy needs to know of what, and a name its password.
fn proxy(settings: &Settings, findings: &mut Findings<'_>) {
    const NAME: &str = "registry.proxy.username";
    const PASSWORD: &str = "registry.proxy.password";
    const REMOTE: &str = "registry.proxy.remoteurl";
    let is_set = |key: &str| settings.get(key).is_some() || settings.is_spoiled(key);
    for (key, needs) in [(NAME, PASSWORD), (PASSWORD, NAME), (NAME, REMOTE), (PASSWORD, REMOTE)] {
        let file = "registry.proxy.password_file";
        let written = [key, if key == PASSWORD { file } else { key }];
        let at = written.into_iter().find_map(|key| Some((key, settings.written(key)?)));
        if let Some((key, at)) = at.filter(|_| !is_set(needs)) {
            let message = format!("{} needs `{needs}` too", findings.assignment(key, &at));
            findings.problem(&at, key, message, "set both, or remove it");
            return;
        }
    }
    if let (Some(at), Some(url)) = (settings.written(REMOTE), settings.web_url(REMOTE))
        && !url.has_plain_path()
    {
        let assignment = findings.assignment(REMOTE, &at);
        let message = format!("{assignment}: must be scheme, host, port and a plain path");
        let hint = "letters, digits and `-._~` may stand between the slashes";
        findings.problem(&at, REMOTE, message, hint);
    }
    if let Some(at) = settings.written(NAME)
        && settings.text(NAME).is_some_and(|name| name.contains(':'))
    {
        let message = format!("{}: a name has no colon", findings.assignment(NAME, &at));
        findings.problem(&at, NAME, message, "what follows a colon is a password");
    }
}

fn database(settings: &Settings, findings: &mut Findings<'_>) {
    const PATH: &str = "registry.database.enabled";
    let enabled = settings.flag(PATH) == Some(true);
    if let Some(span) = settings.written(PATH).filter(|_| enabled) {
        let message = format!("{}: must be false", findings.assignment(PATH, &span));
        findings.problem(&span, PATH, message, table::NO_DATABASE);
    }
}

fn environment(settings: &Settings, findings: &mut Findings<'_>) {
    const PATH: &str = "registry.env";
    let Some(span) = settings.written(PATH) else { return };
    let names = settings.environment(PATH).unwrap_or_default().into_keys();
    for name in names.filter(|name| is_decided_elsewhere(name)) {
        let message = format!(
            "`{PATH}.{name}` would change where the registry listens, who may use it or where its bytes live without regctl knowing"
        );
        let hint = "use the keys of [registry], [registry.storage] and [registry.auth]";
        findings.problem(&span, &format!("{PATH}.{name}"), message, hint);
    }
}

/// Whether a variable would override what regctl checks and must know.
fn is_decided_elsewhere(variable: &str) -> bool {
    const WHOLE: [&str; 2] = ["REGISTRY_HTTP", "REGISTRY_VERSION"];
    const PREFIXES: [&str; 7] = [
        "REGISTRY_HTTP_ADDR",
        "REGISTRY_HTTP_NET",
        "REGISTRY_HTTP_DEBUG",
        "REGISTRY_HTTP_TLS",
        "REGISTRY_PROXY",
        "REGISTRY_STORAGE",
        "REGISTRY_AUTH",
    ];
    let variable = variable.to_ascii_uppercase();
    WHOLE.contains(&variable.as_str()) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}
