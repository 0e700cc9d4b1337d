//! Large blobs that nginx sends itself: the registry says which file and with what headers, nginx proves itself to the
//! registry, and both learn here what they share.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::file::{Inputs, View};
use crate::{
    Secret,
    config::instance::{Driver, Http},
    state::{Layout, Secrets},
};

/// Where nginx has the storage's folder. No repository's name and no prefix has an equals sign.
const LOCATION: &str = "/=storage=/";

/// The location of nginx that has the registry send what nginx cannot read.
const INSTEAD: &str = "@registry";

/// What the registry says of a blob, and nginx leaves out when it sends the file.
const OF_BLOBS: [&str; 3] = ["Docker-Content-Digest", "Docker-Distribution-Api-Version", "ETag"];

/// What nginx takes over by itself, and what it says itself of every answer.
const OF_NGINX: [&str; 11] = [
    "accept-ranges",
    "cache-control",
    "connection",
    "content-disposition",
    "content-length",
    "content-type",
    "date",
    "expires",
    "server",
    "set-cookie",
    "transfer-encoding",
];

/// Whether nginx sends large blobs itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Sendfile {
    Possible,
    /// Nobody asks for it, or regctl does not run nginx.
    Unwanted,
    /// It is asked for, and cannot be.
    Impossible(String),
}

/// What the registry has to know.
#[derive(Serialize)]
pub(super) struct OfRegistry<'a> {
    secret: String,
    location: &'static str,
    headers: Vec<&'a str>,
}

/// What nginx has to know.
#[derive(Serialize)]
pub(super) struct OfNginx {
    location: String,
    folder: String,
    /// Headers, and nginx's variables with what the registry has said.
    said_again: Vec<(String, String)>,
}

/// Returns why a header of every answer could not be said of blobs that nginx sends.
pub(crate) fn lost_header(http: &Http) -> Option<String> {
    http.headers.iter().find_map(|(name, values)| {
        let is_of_blobs =
            ["accept-ranges", "cache-control"].contains(&name.to_ascii_lowercase().as_str());
        let why = match values.len() {
            0 | 1 if is_of_blobs => "is nginx's own to say".to_owned(),
            0 | 1 => return None,
            count => format!("has {count} values, and nginx repeats one"),
        };
        Some(format!("`registry.http.headers.{name}` {why}"))
    })
}

/// Returns the registry's side.
pub(super) fn of_registry<'a>(inputs: &Inputs<'a>, view: View) -> Option<OfRegistry<'a>> {
    let secret = proof(inputs)?;
    Some(OfRegistry {
        secret: view.reveal(&secret).to_owned(),
        location: LOCATION,
        headers: inputs.instance.registry.http.headers.keys().map(String::as_str).collect(),
    })
}

/// Returns nginx's side.
pub(super) fn of_nginx(inputs: &Inputs<'_>) -> Option<OfNginx> {
    proof(inputs)?;
    let Inputs { instance, layout, .. } = inputs;
    let named = instance.registry.http.headers.keys().map(String::as_str);
    let named = named.filter(|name| !OF_NGINX.contains(&name.to_ascii_lowercase().as_str()));
    let named = named.filter(|name| !OF_BLOBS.iter().any(|own| own.eq_ignore_ascii_case(name)));
    let said_again =
        OF_BLOBS.into_iter().chain(named).map(|name| (name.to_owned(), variable(name)));
    Some(OfNginx {
        location: format!("{LOCATION}{BLOBS}/"),
        folder: format!("{}/", blobs(layout, &instance.registry.storage.driver)?),
        said_again: said_again.collect(),
    })
}

/// A location that asks the registry.
#[derive(Serialize)]
pub(super) struct Location {
    name: &'static str,
    /// What nginx proves itself with; after a word, where the registry is to send the blob itself. None: nobody listens.
    proof: Option<String>,
    /// What is asked for, where it is not what this location was found by.
    target: &'static str,
}

/// Returns the locations that ask the registry.
pub(super) fn locations(inputs: &Inputs<'_>, view: View) -> Vec<Location> {
    let proof = proof(inputs).map(|secret| view.reveal(&secret).to_owned());
    let instead = proof.as_ref().map(|proof| Location {
        name: INSTEAD,
        proof: Some(format!("again {proof}")),
        target: "$request_uri",
    });
    let all = Location { name: "/", proof, target: "" };
    [all].into_iter().chain(instead).collect()
}

/// The folder of blobs below the storage's, as Distribution has it: nginx needs no other.
const BLOBS: &str = "docker/registry/v2/blobs";

/// Returns the folder that nginx reads; `None` if the storage is none.
pub(crate) fn blobs(layout: &Layout, driver: &Driver) -> Option<String> {
    match driver {
        Driver::Filesystem { root_directory, .. } => {
            Some(layout.resolve(root_directory).join(BLOBS).to_string_lossy().into_owned())
        }
        Driver::InMemory | Driver::S3(_) => None,
    }
}

/// The variable with what the registry has said under a name.
fn variable(name: &str) -> String {
    format!("$upstream_http_{}", name.to_ascii_lowercase().replace('-', "_"))
}

/// Returns what nginx proves itself with, if it sends blobs: it follows from the generated secret and does not tell it.
fn proof(inputs: &Inputs<'_>) -> Option<Secret> {
    if inputs.sendfile != Sendfile::Possible {
        return None;
    }
    let Secrets { http_secret, .. } = inputs.secrets;
    let hash = Sha256::new().chain_update("regctl: nginx sends blobs: ");
    let hash = hash.chain_update(http_secret.reveal()).finalize();
    Some(Secret::new(hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}
