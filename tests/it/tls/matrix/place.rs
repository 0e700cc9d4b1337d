//! Where a registry is, and what a client has to know to use it.

use std::{fs, path::PathBuf, sync::Arc};

use super::super::fixture::{Front, Lines, PASSWORD, Site, USER};
use crate::{
    clients::Way,
    support::{Demo, issuer::Issuer},
};

/// A running registry.
pub(super) struct Place {
    kind: Kind,
    folder: tempfile::TempDir,
}

enum Kind {
    /// Anybody, and no TLS.
    Open(Demo),
    /// TLS of an authority of its own, and users.
    Closed(Box<Site>),
}

impl Place {
    pub(super) fn open() -> Self {
        Self { kind: Kind::Open(Demo::start()), folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn with_passwords(front: Front) -> Self {
        Self::closed(Site::behind(front, Lines::default()))
    }

    pub(super) fn with_tokens(front: Front) -> Self {
        let issuer = Arc::new(Issuer::new());
        let realm = issuer.serve_to(USER, PASSWORD);
        Self::closed(Site::with_tokens(front, &issuer, &realm))
    }

    fn closed(site: Site) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.crt");
        fs::write(&authority, &site.authority.certificate).unwrap();
        // Of this machine containerd expects no TLS, unless it is told so.
        let hosts = folder.path().join("hosts").join(&site.name);
        fs::create_dir_all(&hosts).unwrap();
        let server = format!("https://{}", site.name);
        let text = format!(
            "server = \"{server}\"\n[host.\"{server}\"]\nca = \"{}\"\n",
            authority.display()
        );
        fs::write(hosts.join("hosts.toml"), text).unwrap();
        Self { kind: Kind::Closed(Box::new(site)), folder }
    }

    /// The authority's certificate.
    fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// The name under which users log in, where they have to.
    pub(super) fn wants_login(&self) -> Option<&str> {
        match &self.kind {
            Kind::Open(_) => None,
            Kind::Closed(site) => Some(&site.name),
        }
    }

    /// What ctr is told.
    pub(super) fn flags_of_ctr(&self) -> Vec<String> {
        match self.kind {
            Kind::Open(_) => vec!["--plain-http".to_owned()],
            Kind::Closed(_) => vec![
                format!("--hosts-dir={}", self.folder.path().join("hosts").display()),
                format!("--user={USER}:{PASSWORD}"),
            ],
        }
    }
}

impl Way for Place {
    fn image(&self, name: &str) -> String {
        match &self.kind {
            Kind::Open(demo) => demo.image(name),
            Kind::Closed(site) => site.image(name),
        }
    }

    fn origin(&self) -> String {
        match &self.kind {
            Kind::Open(demo) => demo.origin(),
            Kind::Closed(site) => format!("https://{}", site.name),
        }
    }

    fn flags_of_curl(&self) -> Vec<String> {
        match &self.kind {
            Kind::Open(demo) => demo.flags_of_curl(),
            Kind::Closed(_) => {
                vec!["--cacert".to_owned(), self.authority().display().to_string()]
            }
        }
    }

    fn flags(&self, end: &str) -> Vec<String> {
        match &self.kind {
            Kind::Open(demo) => demo.flags(end),
            Kind::Closed(_) => vec![
                format!("--{end}cert-dir={}", self.folder.path().display()),
                format!("--{end}creds={USER}:{PASSWORD}"),
            ],
        }
    }

    fn user(&self) -> Option<String> {
        match &self.kind {
            Kind::Open(demo) => demo.user(),
            Kind::Closed(_) => Some(format!("{USER}:{PASSWORD}")),
        }
    }
}
