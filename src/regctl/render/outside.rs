//! What surrounds the registry, for `config.yml`: its health checks, and where it sends clients for blobs.

use serde::Serialize;

use super::{
    config_yml::{go_duration, headers, json},
    file::View,
};
use crate::{
    config::{
        health::{self, FileCheck, HttpCheck, Pace, TcpCheck},
        middleware::Middleware,
        notifications::EndpointUrl,
    },
    state::Layout,
};

/// Names and values in JSON, which is YAML.
type Options = Vec<(&'static str, String)>;

/// The checks, each as its options.
#[derive(Serialize)]
pub(super) struct Health {
    /// None: the storage is not probed.
    storage: Option<Options>,
    /// The lists that hold something, by their names.
    lists: Vec<(&'static str, Vec<Options>)>,
}

pub(super) fn health(health: &health::Health, layout: &Layout, view: View) -> Health {
    let health::Health { storage, files, http, tcp } = health;
    let lists = [
        ("file", files.iter().map(|check| file_options(check, layout)).collect::<Vec<_>>()),
        ("http", http.iter().map(|check| http_options(check, view)).collect()),
        ("tcp", tcp.iter().map(tcp_options).collect()),
    ];
    Health {
        storage: storage.as_ref().map(pace),
        lists: lists.into_iter().filter(|(_, checks)| !checks.is_empty()).collect(),
    }
}

fn file_options(check: &FileCheck, layout: &Layout) -> Options {
    let mut options = vec![("file", json(layout.resolve(&check.file).to_string_lossy()))];
    options.extend(pace(&check.pace));
    options
}

fn http_options(check: &HttpCheck, view: View) -> Options {
    let mut options = vec![("uri", json(url(&check.url, view)))];
    if !check.headers.0.is_empty() {
        options.push(("headers", json(headers(&check.headers.0, view))));
    }
    options.extend(check.status.map(|status| ("statuscode", status.to_string())));
    options.extend(check.timeout.map(|span| ("timeout", go_duration(span))));
    options.extend(pace(&check.pace));
    options
}

fn tcp_options(check: &TcpCheck) -> Options {
    let mut options = vec![("addr", json(&check.address))];
    options.extend(check.timeout.map(|span| ("timeout", go_duration(span))));
    options.extend(pace(&check.pace));
    options
}

fn pace(pace: &Pace) -> Options {
    let interval = pace.interval.map(|span| ("interval", go_duration(span)));
    let threshold = pace.threshold.map(|times| ("threshold", times.to_string()));
    interval.into_iter().chain(threshold).collect()
}

pub(super) fn middleware(middleware: &Middleware, layout: &Layout) -> Options {
    let Middleware { is_disabled, base, signing } = middleware;
    let base = base.to_string();
    let (name, options) = match signing {
        None => ("redirect", serde_json::json!({ "baseurl": base })),
        Some(signing) => {
            let mut options = serde_json::json!({
                "baseurl": base,
                "privatekey": layout.resolve(&signing.private_key).to_string_lossy(),
                "keypairid": signing.key_pair_id,
            });
            if let Some(duration) = signing.duration {
                options["duration"] = go_duration(duration).into();
            }
            ("cloudfront", options)
        }
    };
    let disabled = is_disabled.then(|| ("disabled", json(true)));
    let name = [("name", json(name))];
    name.into_iter().chain(disabled).chain([("options", options.to_string())]).collect()
}

/// An address as the view shows it.
pub(super) fn url(url: &EndpointUrl, view: View) -> String {
    match view {
        View::File => url.reveal().to_owned(),
        View::Redacted => url.shown(),
    }
}
