//! Files for the system's own services: the systemd unit, and the entries of logrotate and tmpfiles.
//!
//! Each begins with a line that says whose it is, so that regctl never removes or replaces somebody else's.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    engine::{self, Error},
    file::{Content, File, Inputs},
    nginx::NginxPlaces,
    template::Name,
};
use crate::{
    config::instance::Driver,
    state::{Layout, Owner},
};

/// What stands in the first line of every such file.
pub(crate) const MARK: &str = "# Written by regctl ";

/// What a stopping supervisor needs besides the time in which the registry ends its requests.
const STOP_MARGIN_SECONDS: u64 = 30;

/// Whether there should be such files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum System {
    /// They are to start this program.
    Wanted {
        program: PathBuf,
    },
    Unwanted,
}

#[derive(Serialize)]
struct Unit {
    program: String,
    /// None: the default one.
    root: Option<String>,
    /// The folder of the storage, if it is one.
    storage: Option<String>,
    stop_seconds: u64,
}

#[derive(Serialize)]
struct Logrotate<'a> {
    logs: Vec<String>,
    pid: String,
    group: &'a str,
}

#[derive(Serialize)]
struct Cron<'a> {
    lines: Vec<CronLine<'a>>,
}

#[derive(Serialize)]
struct CronLine<'a> {
    schedule: &'a str,
    command: String,
}

#[derive(Serialize)]
struct Tmpfiles {
    run: String,
}

/// Renders those files, in the order in which they are replaced.
pub(super) fn files(inputs: &Inputs<'_>) -> Result<Vec<File>, Error> {
    let layout = inputs.layout;
    let (unit, logrotate, tmpfiles, cron) = match &inputs.system {
        None => return Ok(Vec::new()),
        Some(System::Unwanted) => (None, None, None, None),
        Some(System::Wanted { program }) => {
            let logrotate = inputs.instance.nginx.enable.then(|| logrotate(inputs)).transpose()?;
            let cron = cron(inputs, program)?;
            (Some(unit(inputs, program)?), logrotate, Some(tmpfiles(inputs)?), cron)
        }
    };
    let first =
        format!("{MARK}from {}: edit that file instead.\n", layout.instance_toml().display());
    let file = |path, text: Option<String>| {
        let text = text.map(|text| format!("{first}{text}"));
        let content = text.map(|text| Content { shown: text.clone(), text });
        File { path, mode: 0o644, owner: Owner::Root, content }
    };
    Ok(vec![
        file(layout.tmpfiles_conf(), tmpfiles),
        file(layout.logrotate_conf(), logrotate),
        file(layout.cron_file(), cron),
        file(layout.systemd_unit(), unit),
    ])
}

fn unit(inputs: &Inputs<'_>, program: &Path) -> Result<String, Error> {
    let Inputs { instance, layout, templates, .. } = inputs;
    let registry = &instance.registry;
    let text = |path: &Path| path.display().to_string();
    let context = Unit {
        program: text(program),
        root: (!layout.is_system_wide()).then(|| text(layout.root())),
        storage: match &registry.storage.driver {
            Driver::Filesystem { root_directory, .. } => {
                Some(text(&layout.resolve(root_directory)))
            }
            Driver::InMemory | Driver::S3(_) => None,
        },
        stop_seconds: registry.http.drain_timeout.as_secs() + STOP_MARGIN_SECONDS,
    };
    let (name, template) = templates.get(Name::SystemdUnit);
    engine::render(name, template, context)
}

fn logrotate(inputs: &Inputs<'_>) -> Result<String, Error> {
    let Inputs { instance, layout, templates, .. } = inputs;
    let group = instance.registry.account.log_group.as_deref().unwrap_or("root");
    let pid = layout.nginx_pid().display().to_string();
    let context = Logrotate { logs: logs(inputs, layout), pid, group };
    let (name, template) = templates.get(Name::Logrotate);
    engine::render(name, template, context)
}

/// Returns the files that nginx writes by itself, each once.
fn logs(inputs: &Inputs<'_>, layout: &Layout) -> Vec<String> {
    let nginx = &inputs.instance.nginx;
    let places = NginxPlaces::of(layout);
    let process = places.log(layout, &nginx.log_directory, "error.log");
    let vhost = nginx.vhost.iter().flat_map(|vhost| {
        ["registry_access.log", "registry_error.log"]
            .map(|name| places.log(layout, &vhost.log_directory, name))
    });
    [process].into_iter().chain(vhost).collect()
}

/// What cron runs; none without a schedule.
fn cron(inputs: &Inputs<'_>, program: &Path) -> Result<Option<String>, Error> {
    let Inputs { instance, layout, templates, .. } = inputs;
    let command = |words: &[&str]| {
        let mut line = vec![program.display().to_string()];
        if !layout.is_system_wide() {
            line.extend(["--root".to_owned(), layout.root().display().to_string()]);
        }
        line.push("--quiet".to_owned());
        line.extend(words.iter().map(|word| (*word).to_owned()));
        line.iter().map(|word| cron_word(word)).collect::<Vec<_>>().join(" ")
    };
    let mut lines = Vec::new();
    let cleanup = &instance.cleanup;
    if cleanup.policies.iter().any(|policy| policy.enabled) {
        let mut words = vec!["cleanup-policy", "run"];
        words.extend(cleanup.collect.then_some("--gc"));
        lines.push(CronLine { schedule: &cleanup.schedule, command: command(&words) });
    }
    if let Some(schedule) = &instance.collection.schedule {
        let mut words = vec!["registry-garbage-collect"];
        words.extend(instance.collection.delete_untagged.then_some("--delete-untagged"));
        lines.push(CronLine { schedule, command: command(&words) });
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let (name, template) = templates.get(Name::Cron);
    engine::render(name, template, Cron { lines }).map(Some)
}

/// One word of a command in a crontab: the shell's, with `%` quoted once more, which cron takes for the end of a line.
fn cron_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._=:".contains(c);
    let quoted = match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    quoted.replace('%', "\\%")
}

fn tmpfiles(inputs: &Inputs<'_>) -> Result<String, Error> {
    let (name, template) = inputs.templates.get(Name::Tmpfiles);
    let context = Tmpfiles { run: inputs.layout.run().display().to_string() };
    engine::render(name, template, context)
}
