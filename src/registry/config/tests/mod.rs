//! Whole texts through all stages, from what is written to what is meant.

mod accepted;
mod auth;
mod environment;
mod examples;
mod health;
mod redis;
mod refused;
mod s3;
mod sendfile;
mod tls;
mod validation;
mod warned;
mod yaml;

use super::{Config, Invalid, Parsed};

/// The least that can be served without a remark, to which a test adds what it is about.
const LEAST: &str =
    "version: 0.1\nstorage: inmemory\nhttp: {addr: '127.0.0.1:0', secret: s3cr3t}\n";

fn parse(text: &str) -> Result<Parsed, Invalid> {
    Config::parse(text, &[])
}

/// The configuration of a text that has no problem.
fn config(text: &str) -> Config {
    match parse(text) {
        Ok(parsed) => parsed.config,
        Err(invalid) => panic!("{text}\nis refused:\n{invalid}"),
    }
}

/// The problems of a text, as they are shown.
fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.problems.iter().map(ToString::to_string).collect(),
    }
}

/// The warnings of a text that has no problem, as they are shown.
fn warnings(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(parsed) => parsed.warnings.iter().map(ToString::to_string).collect(),
        Err(invalid) => panic!("{text}\nis refused:\n{invalid}"),
    }
}

/// [`LEAST`] with further lines.
fn with(lines: &str) -> String {
    format!("{LEAST}{lines}\n")
}

/// [`LEAST`] with its `http` replaced.
fn with_http(http: &str) -> String {
    format!("version: 0.1\nstorage: inmemory\nhttp: {{secret: s3cr3t, {http}}}\n")
}

/// [`LEAST`] with more in its `storage`.
fn with_storage(storage: &str) -> String {
    format!("version: 0.1\nstorage: {{{storage}}}\nhttp: {{addr: '127.0.0.1:0', secret: s3cr3t}}\n")
}

#[test]
fn the_least_configuration_has_no_remark() {
    assert_eq!(warnings(LEAST), [""; 0]);
}
