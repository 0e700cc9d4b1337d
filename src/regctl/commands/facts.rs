//! What is known of an instance besides its processes: whether the registry answers, whether it takes writes, and
//! until when its certificate counts.

use std::{collections::BTreeMap, path::PathBuf, thread, time::Duration};

use registry::Config;
use serde::Serialize;

use super::held::Held;
use crate::{
    certificate::Certificate,
    config::load,
    state::{Holds, Layout, Services, holds::Kind},
    supervise::{self, Condition, Health},
    sys::{clock, fs},
};

/// How long the registry may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A certificate with fewer days left is worth a line.
pub(crate) const NOTICE_DAYS: i64 = 30;

/// How the registry answers.
#[derive(Debug, Serialize)]
pub(crate) struct Answering {
    pub(crate) healthy: bool,
    /// What is wrong.
    pub(crate) problem: Option<String>,
}

/// Whether the registry takes writes, and why not.
#[derive(Debug, Serialize)]
pub(crate) struct ReadOnly {
    /// What the running registry says; what it would be, when none runs.
    pub(crate) effective: bool,
    /// What instance.toml says; null when it cannot be read.
    pub(crate) setting: Option<bool>,
    /// What config.yml says; null when it cannot be read.
    pub(crate) applied: Option<bool>,
    pub(crate) holds: Vec<Held>,
    /// Why the holds are not known.
    pub(crate) problem: Option<String>,
}

/// The certificate that clients see.
#[derive(Debug, Serialize)]
pub(crate) struct Expiry {
    pub(crate) path: PathBuf,
    /// Negative when it has ended; null when it cannot be read.
    pub(crate) days_left: Option<i64>,
    /// The day on which it ends, in UTC.
    pub(crate) ends: Option<String>,
    pub(crate) problem: Option<String>,
}

/// Asks a running registry how it is, both at once: one that hangs takes its time for each.
///
/// One that was asked to end takes no requests, and is not ill.
pub(crate) fn of_registry(layout: &Layout, state: Condition) -> (Option<Answering>, ReadOnly) {
    match state {
        Condition::Down | Condition::Crashed => (None, ReadOnly::of(layout, None)),
        Condition::Stopping => (None, ReadOnly::of(layout, supervise::is_read_only(layout))),
        Condition::Run => thread::scope(|scope| {
            let said = scope.spawn(|| supervise::is_read_only(layout));
            let answering = Answering::of(layout);
            (Some(answering), ReadOnly::of(layout, said.join().unwrap_or_default()))
        }),
    }
}

impl Answering {
    fn of(layout: &Layout) -> Self {
        let problem = match supervise::ask_health(layout, PATIENCE) {
            Ok(Health::Serves) => None,
            Ok(Health::Ill { status }) => Some(ill(status, &supervise::failing_checks(layout))),
            Err(error) => Some(format!("it does not answer /v2/: {error}")),
        };
        Self { healthy: problem.is_none(), problem }
    }
}

/// What the registry answers, and which of its checks are why.
fn ill(status: u16, failing: &BTreeMap<String, String>) -> String {
    let checks: String =
        failing.iter().map(|(check, fault)| format!("; health check `{check}`: {fault}")).collect();
    format!("it answers {status} to /v2/{checks}")
}

impl ReadOnly {
    fn of(layout: &Layout, said: Option<bool>) -> Self {
        // A half-finished edit is no reason to say nothing.
        let setting = load::load(&layout.instance_toml()).ok();
        let setting = setting.map(|parsed| parsed.instance.registry.storage.read_only);
        let applied = applied(layout);
        let (holds, problem) = match Holds::load(layout) {
            Ok(holds) => (holds, None),
            Err(error) => (Holds::default(), Some(error.to_string())),
        };
        let would_be = applied.or(setting).unwrap_or(false) || holds.are_read_only();
        Self {
            effective: said.unwrap_or(would_be),
            setting,
            applied,
            holds: holds.all.iter().map(Held::of).collect(),
            problem,
        }
    }

    /// Says what an administrator should know of, a line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { effective, setting, applied, holds, problem } = self;
        let mut lines = Vec::new();
        let should = setting.or(*applied).unwrap_or(false);
        match (effective, should) {
            (true, true) => lines.push("read-only: set in instance.toml".to_owned()),
            (false, true) => {
                lines.push("read-only: set, and not applied: `regctl set-readonly on`".to_owned());
            }
            (true, false) if !holds.iter().any(|hold| hold.kind == Kind::ReadOnly) => {
                lines.push("read-only: on, and not set: `regctl set-readonly off`".to_owned());
            }
            (true | false, false) => {}
        }
        lines.extend(holds.iter().map(|hold| format!("{} hold: {hold}", hold.kind)));
        lines.extend(problem.iter().map(|problem| format!("holds: {problem}")));
        lines
    }
}

/// What `config.yml` says, read as the registry reads it.
fn applied(layout: &Layout) -> Option<bool> {
    let environment = Services::load(layout).ok()?.registry.environment;
    let environment: Vec<_> = environment.into_iter().collect();
    let parsed = Config::load(&layout.config_yml(), &environment).ok()?;
    Some(parsed.config.storage.read_only)
}

impl Expiry {
    /// Reads the certificate of nginx; `None` when it has none.
    pub(crate) fn of_nginx(layout: &Layout) -> Option<Self> {
        let path = Services::load(layout).ok()?.nginx.certificate?;
        let read = match fs::read_to_string(&path) {
            Ok(Some(text)) => {
                Certificate::parse(&text).map_err(|_| "it holds no certificate in PEM".to_owned())
            }
            Ok(None) => Err("it does not exist".to_owned()),
            Err(error) => Err(format!("it cannot be read: {}", error.source)),
        };
        Some(match read {
            Ok(certificate) => Self {
                path,
                days_left: Some(certificate.days_left(clock::unix_time())),
                ends: Some(certificate.end().to_string()),
                problem: None,
            },
            Err(problem) => Self { path, days_left: None, ends: None, problem: Some(problem) },
        })
    }

    /// Says what an administrator should know of.
    pub(crate) fn line(&self) -> Option<String> {
        let Self { path, days_left, ends, problem } = self;
        let path = path.display();
        match (days_left, ends, problem) {
            (_, _, Some(problem)) => Some(format!("certificate: `{path}`: {problem}")),
            (Some(days), Some(ends), None) if *days < 0 => {
                Some(format!("certificate: `{path}` expired on {ends}"))
            }
            (Some(days), Some(ends), None) if *days < NOTICE_DAYS => {
                Some(format!("certificate: `{path}` expires on {ends}, in {days} days"))
            }
            _ => None,
        }
    }
}
