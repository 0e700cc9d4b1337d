//! What helps against a failure.

use std::{io::ErrorKind, path::Path};

use super::{Exit, Failure};
use crate::{
    config::nearest,
    reconfigure::{CertificatesError, DesiredError, HandoverError, ReadOnlyError, TrustError},
    state::{ServiceName, lock, secrets, services, users},
    supervise::{self, AskError, EventsError},
};

impl Failure {
    /// Returns what helps, when that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoInstance(_) => {
                Some("`regctl init` writes one, `regctl run` writes one and starts it".to_owned())
            }
            Self::InstanceExists(_) => Some(
                "edit it, or move it away to start over; `regctl check-config` checks it"
                    .to_owned(),
            ),
            Self::Disabled(path) => {
                Some(format!("set `enable = true` in [registry] of `{}`", path.display()))
            }
            Self::Ask(AskError::NotRunning) => Some("start with 'regctl run'".to_owned()),
            Self::Ask(_) if self.exit() == Exit::Permission => {
                Some("only root and the supervisor's own user may ask it".to_owned())
            }
            Self::Events(EventsError::NotRunning) => Some("`regctl status` says why".to_owned()),
            Self::UnknownService(name) => Some(service_hint(name)),
            Self::ServiceDisabled { service, instance_toml } => {
                Some(enable_hint(*service, instance_toml))
            }
            Self::Services(services::Error::Missing(_)) => {
                Some("`regctl reconfigure` writes it".to_owned())
            }
            Self::NoFreePort(_) => Some("choose an address with --http-addr".to_owned()),
            Self::Serve(error) => serve_hint(error),
            Self::SecretsExist(_) => {
                Some("move it away first; uploads under way and all nodes depend on it".to_owned())
            }
            Self::Secrets(secrets::Error::Exposed { path, .. }) => {
                Some(format!("chmod 0600 {}", path.display()))
            }
            Self::ReadOnly(ReadOnlyError::Held(_)) => {
                Some("it ends with that command; `regctl set-readonly status` shows it".to_owned())
            }
            Self::ReadOnly(ReadOnlyError::Unpatchable(_)) => {
                Some("set the key in instance.toml, and `regctl reconfigure`".to_owned())
            }
            Self::ReadOnly(ReadOnlyError::Tell { .. }) => {
                Some("it takes effect at the next start".to_owned())
            }
            Self::Desired(DesiredError::Trust(TrustError::Writable { path, .. })) => {
                Some(format!("chown root {path} && chmod go-w {path}", path = path.display()))
            }
            Self::Disturbs(_) => Some(
                "`regctl status` says when it has ended; then `regctl reconfigure` again".to_owned(),
            ),
            Self::Desired(DesiredError::Storage(error)) => error.hint(),
            Self::Desired(DesiredError::Accounts(error)) => error.hint(),
            Self::Secrets(secrets::Error::Short { .. }) => Some(
                "remove it from the file, and `regctl reconfigure` makes one; uploads under way start again"
                    .to_owned(),
            ),
            Self::Secrets(secrets::Error::Half { .. } | secrets::Error::Unfit { .. }) => Some(
                "remove both halves of the pair from the file, and `regctl reconfigure` makes a new one; GitLab needs its key then"
                    .to_owned(),
            ),
            Self::Desired(DesiredError::Certificates(error)) => certificate_hint(error),
            Self::Desired(DesiredError::Handover(
                HandoverError::Taken { .. } | HandoverError::Stranger { .. },
            )) => Some(
                "name a file of its own for the key, such as /etc/regctl/gitlab-registry.key; \
                 move away what is there if it is not needed"
                    .to_owned(),
            ),
            Self::Desired(
                DesiredError::OtherAddress { .. } | DesiredError::OtherStorage { .. },
            ) => Some(
                "set it in instance.toml and keep the template's own line; copy it anew: \
                 `regctl reconfigure --print-template config.yml.j2`"
                    .to_owned(),
            ),
            Self::Desired(DesiredError::OpenTemplate) => Some(
                "copy the built-in one anew: `regctl reconfigure --print-template config.yml.j2`"
                    .to_owned(),
            ),
            Self::NoUsers(path) => Some(format!(
                "add the line [registry.auth.htpasswd] to `{}`, then `regctl reconfigure`",
                path.display()
            )),
            Self::Users(users::Error::NoGroup(_)) => {
                Some("`regctl reconfigure` creates it, and the file of users".to_owned())
            }
            Self::Users(users::Error::Exists(name)) => {
                Some(format!("a new password needs consent: `regctl user add {name} --replace`"))
            }
            Self::Desired(DesiredError::System(error)) if error.hint().is_some() => {
                error.hint().map(ToOwned::to_owned)
            }
            Self::Lock(lock::Error::Held { .. })
            | Self::Users(users::Error::Lock(lock::Error::Held { .. })) => {
                Some("wait for it with --wait DURATION".to_owned())
            }
            _ if self.exit() == Exit::Permission => Some(
                "run it as root, or give a folder of your own: --root DIR needs no root rights"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// Says which services there are, the one that was perhaps meant first.
fn service_hint(name: &str) -> String {
    let names = ServiceName::ALL.map(ServiceName::as_str);
    let known = format!("the services are {}", names.join(" and "));
    match nearest(name, names) {
        Some(nearest) => format!("did you mean `{nearest}`? {known}"),
        None => known,
    }
}

fn enable_hint(service: ServiceName, instance_toml: &Path) -> String {
    let keys = match service {
        ServiceName::Registry => "set `enable = true` in [registry]",
        ServiceName::Nginx => {
            "set `registry_external_url`, and `enable = true` in [registry.nginx],"
        }
    };
    format!("{keys} of `{}`, then `regctl reconfigure`", instance_toml.display())
}

fn certificate_hint(error: &CertificatesError) -> Option<String> {
    match error {
        CertificatesError::NoPair { .. } | CertificatesError::HalfPair { .. } => Some(
            "put the certificate, with its chain, and the key there (an authority such as Let's Encrypt gives both), \
             or name others with `ssl_certificate` and `ssl_certificate_key` in [registry.nginx]; \
             write `listen_https = false` there if another proxy ends TLS"
                .to_owned(),
        ),
        _ => None,
    }
}

fn serve_hint(error: &supervise::Error) -> Option<String> {
    match error {
        supervise::Error::Listen { key, source, .. } if source.kind() == ErrorKind::AddrInUse => {
            Some(format!("stop what listens there, or change {key}"))
        }
        _ => None,
    }
}
