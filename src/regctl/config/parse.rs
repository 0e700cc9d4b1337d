//! From text to [`Instance`]: what is right by itself must also agree with the rest.

use std::ops::Range;

use super::{
    instance::{Driver, Http, Instance, Registry, Storage, UploadPurging},
    problem::{Problem, shown},
    settings::{self, Settings},
    source::Source,
    table,
    values::Scheme,
    walk::walk,
};
use crate::config::kind::Value;

/// A good file, with what its author may want to look at.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) instance: Instance,
    pub(crate) warnings: Vec<Problem>,
}

/// Parses a whole file, or returns everything that is wrong with it, sorted by place.
pub(crate) fn parse(text: &str) -> Result<Parsed, Vec<Problem>> {
    let source = Source::new(text);
    let (tree, syntax) = source.parse();
    let (settings, mut problems) = walk(&source, tree.get_ref());
    // What the parser made of a broken line is not what its author wrote.
    problems.retain(|problem| syntax.iter().all(|broken| broken.line != problem.line));
    let mut checks =
        Checks { source: &source, settings: &settings, problems, warnings: Vec::new() };
    if syntax.is_empty() {
        checks.run();
    }
    let Checks { mut problems, mut warnings, .. } = checks;
    problems.extend(syntax);
    problems.sort();
    warnings.sort();
    if problems.is_empty() {
        Ok(Parsed { instance: instance(&settings), warnings })
    } else {
        Err(problems)
    }
}

/// Builds the instance from settings that have passed every check.
fn instance(settings: &Settings) -> Instance {
    const HAS_DEFAULT: &str = "the key has a default";
    let flag = |path| settings.flag(path).expect(HAS_DEFAULT);
    Instance {
        external_url: settings.url("registry_external_url"),
        registry: Registry {
            enable: flag("registry.enable"),
            address: settings.address("registry.registry_http_addr").expect(HAS_DEFAULT),
            log_level: settings.text("registry.log_level").expect(HAS_DEFAULT),
            log_formatter: settings.text("registry.log_formatter").expect(HAS_DEFAULT),
            env: settings.environment("registry.env").unwrap_or_default(),
            http: Http {
                secret: settings.secret("registry.http_secret"),
                relative_urls: flag("registry.http.relativeurls"),
                host: settings.url("registry.http.host"),
                prefix: settings.text("registry.http.prefix"),
                headers: headers(settings),
                drain_timeout: settings.duration("registry.http_draintimeout").expect(HAS_DEFAULT),
            },
            storage: Storage {
                driver: driver(settings),
                delete: settings
                    .flag("registry.storage.delete.enabled")
                    .unwrap_or_else(|| flag("registry.storage_delete_enabled")),
                read_only: flag("registry.storage.maintenance.readonly.enabled"),
                upload_purging: upload_purging(settings),
            },
        },
    }
}

/// Merges the headers over the default ones.
fn headers(settings: &Settings) -> std::collections::BTreeMap<String, Vec<String>> {
    const PATH: &str = "registry.http.headers";
    let mut headers = match settings::default(PATH) {
        Some(Value::Headers(headers)) => headers,
        _ => unreachable!("the key table gives `{PATH}` default headers"),
    };
    for (name, values) in settings.headers(PATH).unwrap_or_default() {
        headers.retain(|default, _| !default.eq_ignore_ascii_case(&name));
        headers.insert(name, values);
    }
    headers.retain(|_, values| !values.is_empty());
    headers
}

fn driver(settings: &Settings) -> Driver {
    if settings.tables().any(|(path, _)| path == "registry.storage.inmemory") {
        return Driver::InMemory;
    }
    let root_directory = settings
        .path("gitlab_rails.registry_path")
        .or_else(|| settings.path("registry.storage.filesystem.rootdirectory"))
        .expect("the folder has a default");
    let max_threads = settings.count("registry.storage.filesystem.maxthreads");
    Driver::Filesystem { root_directory, max_threads: max_threads.expect("the key has a default") }
}

fn upload_purging(settings: &Settings) -> UploadPurging {
    let path = |name: &str| format!("registry.storage.maintenance.uploadpurging.{name}");
    let flag = |name| settings.flag(&path(name)).expect("the key has a default");
    let duration = |name| settings.duration(&path(name)).expect("the key has a default");
    UploadPurging {
        enabled: flag("enabled"),
        age: duration("age"),
        interval: duration("interval"),
        dry_run: flag("dryrun"),
    }
}

/// Checks between settings.
struct Checks<'a> {
    source: &'a Source<'a>,
    settings: &'a Settings,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Checks<'_> {
    fn run(&mut self) {
        self.drivers();
        self.open_registry();
        self.external_url();
        self.environment();
        self.zero_durations();
        self.database();
        self.delete_twice();
    }

    fn problem(&mut self, at: &Range<usize>, key: &str, message: String, hint: &str) {
        let problem = self.source.problem(at.start, key, message, Some(hint.to_owned()));
        self.problems.push(problem);
    }

    fn warn(&mut self, at: &Range<usize>, key: &str, message: String, hint: &str) {
        let problem = self.source.problem(at.start, key, message, Some(hint.to_owned()));
        self.warnings.push(problem);
    }

    /// Returns how messages show a key and its value.
    fn assignment(&self, key: &str, value: &Range<usize>) -> String {
        format!("`{key} = {}`", shown(self.source.slice(value)))
    }

    fn drivers(&mut self) {
        let mut drivers: Vec<_> = self
            .settings
            .tables()
            .filter(|(path, _)| is_driver(path))
            .map(|(path, span)| (path.to_owned(), span.clone()))
            .collect();
        drivers.sort_by_key(|(_, span)| span.start);
        let Some(((first, first_span), others)) = drivers.split_first() else { return };
        let line = self.source.line(first_span.start);
        for (other, span) in others {
            let message = format!(
                "[{other}] is a second storage driver: line {line} already opened [{first}]"
            );
            self.problem(span, other, message, "a registry has one: remove one of the tables");
        }
        const PATH: &str = "gitlab_rails.registry_path";
        if let Some(span) = self.settings.written(PATH) {
            let assignment = self.assignment(PATH, &span);
            let message =
                format!("{assignment} names the storage, and so does [{first}] on line {line}");
            self.problem(&span, PATH, message, "remove one of the two");
        }
    }

    /// Nobody opens a registry to the network by accident.
    fn open_registry(&mut self) {
        const PATH: &str = "registry.registry_http_addr";
        let anyone = self.settings.flag("registry.auth.none") == Some(true);
        let enabled = self.settings.flag("registry.enable") == Some(true);
        let address = self.settings.address(PATH);
        let (Some(span), Some(address)) = (self.settings.written(PATH), address) else { return };
        if anyone || !enabled || address.is_loopback() {
            return;
        }
        let assignment = self.assignment(PATH, &span);
        self.problem(
            &span,
            PATH,
            format!("{assignment}: anyone who reaches this address could read, push and delete"),
            "listen on 127.0.0.1, or write `none = true` in [registry.auth] if that is meant",
        );
    }

    fn external_url(&mut self) {
        const PATH: &str = "registry_external_url";
        let (Some(span), Some(url)) = (self.settings.written(PATH), self.settings.url(PATH)) else {
            return;
        };
        let assignment = self.assignment(PATH, &span);
        if url.scheme == Scheme::Https {
            let message = format!("{assignment}: https is not supported yet");
            return self.problem(&span, PATH, message, "write http://, or leave it out");
        }
        let Some(address) = self.settings.address("registry.registry_http_addr") else { return };
        let local_only = address.is_loopback() && !url.host.is_loopback();
        if url.port() != address.port() || local_only {
            let message = format!(
                "{assignment}: the registry itself listens on {address} only, and the nginx in front of it is not supported yet"
            );
            self.warn(&span, PATH, message, "put a proxy of your own before it");
        }
    }

    fn environment(&mut self) {
        const PATH: &str = "registry.env";
        let Some(span) = self.settings.written(PATH) else { return };
        let names = self.settings.environment(PATH).unwrap_or_default().into_keys();
        for name in names.filter(|name| is_decided_elsewhere(name)) {
            let message = format!(
                "`{PATH}.{name}` would change where the registry listens, who may use it or where its bytes live without regctl knowing"
            );
            let hint = "use the keys of [registry], [registry.storage] and [registry.auth]";
            self.problem(&span, &format!("{PATH}.{name}"), message, hint);
        }
    }

    fn zero_durations(&mut self) {
        for name in ["age", "interval"] {
            let path = format!("registry.storage.maintenance.uploadpurging.{name}");
            let zero = self.settings.duration(&path).is_some_and(|duration| duration.is_zero());
            if let Some(span) = self.settings.written(&path).filter(|_| zero) {
                let message =
                    format!("{}: must be longer than nothing", self.assignment(&path, &span));
                let hint = "to keep abandoned uploads, write `enabled = false` here";
                self.problem(&span, &path, message, hint);
            }
        }
    }

    fn database(&mut self) {
        const PATH: &str = "registry.database.enabled";
        let enabled = self.settings.flag(PATH) == Some(true);
        if let Some(span) = self.settings.written(PATH).filter(|_| enabled) {
            let message = format!("{}: must be false", self.assignment(PATH, &span));
            self.problem(&span, PATH, message, table::NO_DATABASE);
        }
    }

    fn delete_twice(&mut self) {
        const OLD: &str = "registry.storage_delete_enabled";
        const NEW: &str = "registry.storage.delete.enabled";
        let (Some(span), Some(winner)) = (self.settings.written(OLD), self.settings.written(NEW))
        else {
            return;
        };
        if self.settings.flag(OLD) != self.settings.flag(NEW) {
            let line = self.source.line(winner.start);
            let assignment = self.assignment(OLD, &span);
            let message = format!("{assignment} is ignored: line {line} sets `{NEW}`");
            self.warn(&span, OLD, message, "remove one of the two");
        }
    }
}

/// Whether a table names a storage driver.
fn is_driver(path: &str) -> bool {
    const DRIVERS: [&str; 8] =
        ["filesystem", "inmemory", "s3", "s3aws", "azure", "gcs", "swift", "oss"];
    path.strip_prefix("registry.storage.").is_some_and(|name| DRIVERS.contains(&name))
}

/// Whether a variable would override what regctl checks and must know.
fn is_decided_elsewhere(variable: &str) -> bool {
    const WHOLE: [&str; 2] = ["REGISTRY_HTTP", "REGISTRY_VERSION"];
    const PREFIXES: [&str; 5] = [
        "REGISTRY_HTTP_ADDR",
        "REGISTRY_HTTP_NET",
        "REGISTRY_HTTP_DEBUG",
        "REGISTRY_STORAGE",
        "REGISTRY_AUTH",
    ];
    let variable = variable.to_ascii_uppercase();
    WHOLE.contains(&variable.as_str()) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}
