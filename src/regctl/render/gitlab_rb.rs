//! The lines of gitlab.rb that GitLab needs, so that it issues tokens for this registry.

use serde::Serialize;

use super::{
    engine::{self, Error},
    file::Inputs,
};
use crate::config::{instance::Gitlab, values::ExternalUrl};

const TEMPLATE: &str = include_str!("../../../templates/gitlab.rb.j2");

/// Where GitLab keeps the key when nothing else is said.
const DEFAULT_KEY_PATH: &str = "/var/opt/gitlab/gitlab-rails/etc/gitlab-registry.key";

/// What the template can name.
#[derive(Serialize)]
struct Context<'a> {
    instance_toml: String,
    url: String,
    host: String,
    /// None: the scheme's own, which GitLab wants left out.
    port: Option<u16>,
    /// Where the key stands here. None: GitLab has it already, and this registry its certificate.
    key: Option<String>,
    /// Where the key is written for GitLab.
    key_path: Option<String>,
    default_key_path: &'static str,
    issuer: &'a str,
}

/// Renders GitLab's side.
pub(crate) fn gitlab_rb(inputs: &Inputs<'_>, gitlab: &Gitlab) -> Result<String, Error> {
    let Inputs { instance, layout, .. } = inputs;
    let url = instance.external_url.clone().unwrap_or_else(|| {
        let address = instance.registry.address.reachable();
        format!("http://{address}").parse().expect("what can be listened on can stand in a URL")
    });
    let ExternalUrl { host, port, .. } = &url;
    let key = match &gitlab.token_key {
        Some(_) => layout.instance_toml(),
        None => layout.secrets_json(),
    };
    let key_path = gitlab.key_path.as_ref().map(|path| layout.resolve(path).display().to_string());
    let context = Context {
        instance_toml: layout.instance_toml().display().to_string(),
        url: url.to_string(),
        host: host.to_string(),
        port: *port,
        key: gitlab.has_pair().then(|| key.display().to_string()),
        key_path,
        default_key_path: DEFAULT_KEY_PATH,
        issuer: &gitlab.issuer,
    };
    engine::render("gitlab.rb.j2", TEMPLATE, context)
}
