//! `[registry.health]`: checks that take the registry out of service while they fail.

use std::{path::PathBuf, time::Duration};

use super::{
    notifications::{EndpointUrl, Headers},
    settings::Settings,
    tables::Record,
};

/// The checks; what is unset is as the registry has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Health {
    /// None: the storage is not probed.
    pub(crate) storage: Option<Pace>,
    pub(crate) files: Vec<FileCheck>,
    pub(crate) http: Vec<HttpCheck>,
    pub(crate) tcp: Vec<TcpCheck>,
}

/// How often something is checked, and how often it must fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pace {
    pub(crate) interval: Option<Duration>,
    pub(crate) threshold: Option<u64>,
}

/// A file that must not be there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FileCheck {
    pub(crate) file: PathBuf,
    pub(crate) pace: Pace,
}

/// A URL that must answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HttpCheck {
    pub(crate) url: EndpointUrl,
    pub(crate) headers: Headers,
    pub(crate) status: Option<u64>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) pace: Pace,
}

/// An address that must accept connections.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TcpCheck {
    pub(crate) address: String,
    pub(crate) timeout: Option<Duration>,
    pub(crate) pace: Pace,
}

const REQUIRED: &str = "the key table requires it";

pub(super) fn health(settings: &Settings) -> Health {
    let records = |name: &str| {
        let written = settings.tables_of(&format!("registry.health.{name}"));
        written.unwrap_or_default().into_iter()
    };
    Health {
        storage: storage(settings),
        files: records("file").map(|record| file(&record)).collect(),
        http: records("http").map(|record| http(&record)).collect(),
        tcp: records("tcp").map(|record| tcp(&record)).collect(),
    }
}

fn storage(settings: &Settings) -> Option<Pace> {
    let key = |name: &str| format!("registry.health.storagedriver.{name}");
    let is_enabled = settings.flag(&key("enabled")) == Some(true);
    is_enabled.then(|| Pace {
        interval: settings.duration(&key("interval")),
        threshold: settings.count(&key("threshold")),
    })
}

fn file(record: &Record) -> FileCheck {
    FileCheck { file: record.path("file").expect(REQUIRED), pace: pace(record) }
}

fn http(record: &Record) -> HttpCheck {
    HttpCheck {
        url: record.endpoint("uri").expect(REQUIRED),
        headers: Headers(record.headers("headers").unwrap_or_default()),
        status: record.count("statuscode"),
        timeout: record.duration("timeout"),
        pace: pace(record),
    }
}

fn tcp(record: &Record) -> TcpCheck {
    TcpCheck {
        address: record.address("addr").expect(REQUIRED).to_string(),
        timeout: record.duration("timeout"),
        pace: pace(record),
    }
}

fn pace(record: &Record) -> Pace {
    Pace { interval: record.duration("interval"), threshold: record.count("threshold") }
}
