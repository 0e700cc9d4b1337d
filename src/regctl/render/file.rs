//! A rendered file: where it goes, who may read it, its text, and the same text without secrets.

use std::{fmt, path::PathBuf};

use super::{
    config_yml::config_yml,
    engine::Error,
    gitlab_rb::gitlab_rb,
    nginx::{NginxPlaces, NginxVersion, Workers, nginx_conf, registry_conf},
    sendfile::Sendfile,
    services::services_json,
    system::{self, System},
    template::Templates,
};
use crate::{
    Secret,
    certificate::Pair,
    config::{Instance, vhost::Vhost},
    secret::{REDACTED, is_secret_header},
    state::{
        Layout, Owner, Owners, Secrets,
        secrets::{self, Origin},
    },
};

/// A file as it should be on disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) mode: u32,
    pub(crate) owner: Owner,
    /// None: there should be no such file.
    pub(crate) content: Option<Content>,
}

/// What a file holds.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Content {
    pub(crate) text: String,
    /// The text with its secrets redacted, line for line: this is what may be shown.
    pub(crate) shown: String,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// What the files are made from.
#[derive(Debug)]
pub(crate) struct Inputs<'a> {
    pub(crate) instance: &'a Instance,
    pub(crate) secrets: &'a Secrets,
    pub(crate) layout: &'a Layout,
    pub(crate) templates: &'a Templates,
    pub(crate) nginx: NginxVersion,
    pub(crate) workers: Option<Workers>,
    /// Who the registry runs as.
    pub(crate) owners: &'a Owners,
    /// None: the system's own services are not looked at.
    pub(crate) system: Option<System>,
    /// Whether something holds the registry read-only, whatever the setting says.
    pub(crate) is_held_read_only: bool,
    pub(crate) sendfile: Sendfile,
}

impl Inputs<'_> {
    /// Returns the pair that GitLab signs tokens with: the administrator's own, else the generated one.
    pub(crate) fn token_pair(&self) -> Option<&Pair> {
        let gitlab = self.instance.gitlab.as_ref().filter(|gitlab| gitlab.has_pair())?;
        gitlab.token_key.as_ref().or(self.secrets.token.as_ref())
    }
}

/// Whether a rendering is for the file or for people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum View {
    File,
    Redacted,
}

impl View {
    /// Returns a secret's value, or what stands for it.
    pub(super) fn reveal(self, secret: &Secret) -> &str {
        match self {
            Self::File => secret.reveal(),
            Self::Redacted => REDACTED,
        }
    }

    /// Returns a header's value, or what stands for it if its name says that it is secret.
    pub(super) fn header<'a>(self, name: &str, value: &'a str) -> &'a str {
        match self {
            Self::Redacted if is_secret_header(name) => REDACTED,
            Self::File | Self::Redacted => value,
        }
    }
}

/// Renders every file of an instance, in the order in which they are replaced.
pub(crate) fn files(inputs: &Inputs<'_>) -> Result<Vec<File>, Error> {
    let Inputs { instance, layout, secrets, .. } = inputs;
    let places = NginxPlaces::of(layout);
    let both = |render: &dyn Fn(View) -> Result<String, Error>| {
        Ok::<_, Error>(Content { text: render(View::File)?, shown: render(View::Redacted)? })
    };
    // Secrets that are stored already are nobody's rendering.
    let generated = (secrets.origin == Origin::Generated)
        .then(|| Content { text: secrets.to_json(), shown: secrets.to_redacted_json() });
    let secrets_json = generated.map(|content| File {
        path: layout.secrets_json(),
        mode: secrets::MODE,
        owner: Owner::Root,
        content: Some(content),
    });
    let config = both(&|view| config_yml(inputs, view))?;
    // A registry that is switched off is not offered to anybody.
    let vhost = instance.nginx.vhost.as_ref().filter(|_| instance.registry.enable);
    let process = vhost.filter(|_| instance.nginx.enable);
    let process = process.map(|_| nginx_conf(inputs, &places)).transpose()?;
    // Others may not read what only nginx's master needs to, once a header says who asks.
    let is_secret = |vhost: &&Vhost| {
        let mut names = vhost.proxy_set_headers.keys();
        inputs.sendfile == Sendfile::Possible || names.any(|name| is_secret_header(name))
    };
    let vhost_mode = if vhost.as_ref().is_some_and(is_secret) { 0o640 } else { 0o644 };
    let vhost =
        vhost.map(|vhost| both(&|view| registry_conf(inputs, vhost, &places, view))).transpose()?;
    let registry_conf =
        File { path: layout.registry_conf(), mode: vhost_mode, owner: Owner::Root, content: vhost };
    let gitlab = instance.gitlab.as_ref();
    let gitlab_rb = gitlab.map(|gitlab| gitlab_rb(inputs, gitlab)).transpose()?;
    let certificate = inputs.token_pair().map(|pair| pair.certificate.clone());
    let public = |path: PathBuf, text: Option<String>| {
        let content = text.map(|text| Content { shown: text.clone(), text });
        File { path, mode: 0o644, owner: Owner::Root, content }
    };
    let config_yml = File {
        path: layout.config_yml(),
        mode: 0o640,
        owner: Owner::Shared,
        content: Some(config),
    };
    let services = Content {
        text: services_json(inputs, View::File),
        shown: services_json(inputs, View::Redacted),
    };
    let services_json = File {
        path: layout.services_json(),
        mode: 0o600,
        owner: Owner::Root,
        content: Some(services),
    };
    let rendered = [
        public(layout.token_crt(), certificate),
        config_yml,
        registry_conf,
        public(layout.nginx_conf(), process),
        public(layout.gitlab_rb(), gitlab_rb),
        services_json,
    ];
    Ok(secrets_json.into_iter().chain(rendered).chain(system::files(inputs)?).collect())
}
