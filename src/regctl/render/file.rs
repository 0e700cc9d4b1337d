//! A rendered file: where it goes, who may read it, its text, and the same text without secrets.

use std::{fmt, path::PathBuf};

use super::{
    config_yml::config_yml,
    engine::Error,
    gitlab_rb::gitlab_rb,
    nginx::{NginxPlaces, NginxVersion, nginx_conf, registry_conf},
    template::Templates,
};
use crate::{
    Secret,
    certificate::Pair,
    config::Instance,
    secret::REDACTED,
    state::{
        Layout, Secrets,
        secrets::{self, Origin},
    },
};

/// A file as it should be on disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) mode: u32,
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
        content: Some(content),
    });
    let config = both(&|view| config_yml(inputs, view))?;
    // A registry that is switched off is not offered to anybody.
    let vhost = instance.nginx.vhost.as_ref().filter(|_| instance.registry.enable);
    let process = vhost.filter(|_| instance.nginx.enable);
    let process = process.map(|_| nginx_conf(inputs, &places)).transpose()?;
    let vhost = vhost.map(|vhost| registry_conf(inputs, vhost, &places)).transpose()?;
    let public = |text: Option<String>| text.map(|text| Content { shown: text.clone(), text });
    let gitlab = instance.gitlab.as_ref();
    let gitlab_rb = gitlab.map(|gitlab| gitlab_rb(inputs, gitlab)).transpose()?;
    let certificate = inputs.token_pair().map(|pair| pair.certificate.clone());
    let rendered = [
        File { path: layout.token_crt(), mode: 0o644, content: public(certificate) },
        File { path: layout.config_yml(), mode: 0o640, content: Some(config) },
        File { path: layout.registry_conf(), mode: 0o644, content: public(vhost) },
        File { path: layout.nginx_conf(), mode: 0o644, content: public(process) },
        File { path: layout.gitlab_rb(), mode: 0o644, content: public(gitlab_rb) },
    ];
    Ok(secrets_json.into_iter().chain(rendered).collect())
}
