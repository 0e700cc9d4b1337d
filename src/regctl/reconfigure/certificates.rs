//! Certificates that an administrator brings: looked at before anything depends on them, because what reads
//! them later says less, and to fewer.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::readable::{DEBUG_TLS, TLS};
use crate::{
    certificate::{self, Certificate, Pair, Validity},
    config::{
        instance::{Auth, Jwks, RegistryTls, Token},
        vhost::Vhost,
    },
    render::Inputs,
    sys::{clock, fs},
};

/// Why a certificate is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("https needs a certificate: `{}` and its key `{}` do not exist", certificate.display(), key.display())]
    NoPair { certificate: PathBuf, key: PathBuf },
    #[error("https needs a certificate and its key: `{}` exists, `{}` does not", here.display(), missing.display())]
    HalfPair { here: PathBuf, missing: PathBuf },
    #[error("{0}")]
    Unfit(String),
    #[error("`{key}`: `{}` does not exist", path.display())]
    Missing { key: &'static str, path: PathBuf },
    #[error("`registry.rootcertbundle`: `{}` holds no certificate in PEM", .0.display())]
    NoBundle(PathBuf),
}

const CERTIFICATE: &str = "registry.nginx.ssl_certificate";
const BUNDLE: &str = "registry.rootcertbundle";
const TOKENS: &str = "registry.auth.token.rootcertbundle";
const JWKS: &str = "registry.auth.token.jwks";
const REDIS: &str = "registry.redis.tls.rootcas";
const MIDDLEWARE: &str = "registry.middleware.storage";

/// What was seen, each with the key that it is about.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) refused: Vec<(&'static str, Error)>,
    pub(super) warnings: Vec<(&'static str, String)>,
}

/// Checks every certificate that the instance names, and returns what to warn of.
pub(super) fn check(inputs: &Inputs<'_>) -> Result<Vec<String>, Error> {
    let Looked { refused, warnings } = look(inputs);
    match refused.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(warnings.into_iter().map(|(_, warning)| warning).collect()),
    }
}

/// Looks at every file with certificates or keys that the instance names.
pub(super) fn look(inputs: &Inputs<'_>) -> Looked {
    let mut looked = Looked::default();
    if !inputs.instance.registry.enable {
        return looked;
    }
    if let Some(vhost) = &inputs.instance.nginx.vhost {
        looked.add(CERTIFICATE, of_vhost(inputs, vhost));
        for (key, path) in beside(vhost).into_iter().filter(|_| inputs.instance.nginx.enable) {
            looked.add(key, present(inputs, key, path));
        }
    }
    let registry = &inputs.instance.registry;
    if let Some(tls) = &registry.http.tls {
        let host = inputs.instance.external_url.as_ref().map(|url| url.host.file_stem());
        looked.of_registry(inputs, tls, TLS, host);
    }
    if let Some(tls) = registry.http.debug.as_ref().and_then(|debug| debug.tls.as_ref()) {
        looked.of_registry(inputs, tls, DEBUG_TLS, None);
    }
    for path in registry.redis.iter().filter(|redis| redis.tls).flat_map(|redis| &redis.roots) {
        looked.add(REDIS, present(inputs, REDIS, path));
    }
    let active = registry.middleware.iter().filter(|middleware| !middleware.is_disabled);
    for signing in active.filter_map(|middleware| middleware.signing.as_ref()) {
        looked.add(MIDDLEWARE, present(inputs, MIDDLEWARE, &signing.private_key));
    }
    if let Auth::Token(token) = &registry.auth {
        if let Some(Jwks::File(path)) = &token.jwks {
            looked.add(JWKS, present(inputs, JWKS, path));
        }
        let is_gitlabs = inputs.instance.gitlab.is_some();
        let key = if is_gitlabs { BUNDLE } else { TOKENS };
        looked.add(key, of_tokens(inputs, token));
    }
    looked
}

impl Looked {
    /// What the registry itself, or its debug server, ends TLS with.
    fn of_registry(
        &mut self,
        inputs: &Inputs<'_>,
        tls: &RegistryTls,
        [certificate, key, authorities]: [&'static str; 3],
        host: Option<&str>,
    ) {
        let files = [(certificate, &tls.certificate), (key, &tls.key)].into_iter();
        let clients = tls.client_authorities.iter().map(|path| (authorities, path));
        for (key, path) in files.chain(clients) {
            self.add(key, present(inputs, key, path));
        }
        match of_pair(inputs, [&tls.certificate, &tls.key], host) {
            // Each was just looked for under its own key.
            Err(Error::NoPair { .. } | Error::HalfPair { .. }) => {}
            looked => self.add(certificate, looked),
        }
    }

    fn add(&mut self, key: &'static str, found: Result<Vec<String>, Error>) {
        match found {
            Ok(warnings) => {
                self.warnings.extend(warnings.into_iter().map(|warning| (key, warning)));
            }
            Err(error) => self.refused.push((key, error)),
        }
    }
}

/// The files that nginx reads besides the pair.
fn beside(vhost: &Vhost) -> Vec<(&'static str, &Path)> {
    let Some(tls) = &vhost.tls else { return Vec::new() };
    let files = [
        ("registry.nginx.ssl_client_certificate", &tls.client_certificate),
        ("registry.nginx.ssl_dhparam", &tls.dhparam),
        ("registry.nginx.ssl_password_file", &tls.password_file),
    ];
    files.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?))).collect()
}

fn present(inputs: &Inputs<'_>, key: &'static str, path: &Path) -> Result<Vec<String>, Error> {
    let path = inputs.layout.resolve(path);
    match read(&path)? {
        Found::Nothing => Err(Error::Missing { key, path }),
        Found::Text(_) | Found::Denied => Ok(Vec::new()),
    }
}

/// The pair with which nginx ends TLS. Where somebody else's nginx does, the files may be elsewhere.
fn of_vhost(inputs: &Inputs<'_>, vhost: &Vhost) -> Result<Vec<String>, Error> {
    let Some(tls) = &vhost.tls else { return Ok(Vec::new()) };
    let host = vhost.server_name.file_stem();
    match of_pair(inputs, [&tls.certificate, &tls.certificate_key], Some(host)) {
        Err(Error::NoPair { .. } | Error::HalfPair { .. }) if !inputs.instance.nginx.enable => {
            Ok(Vec::new())
        }
        // nginx has the key's password, and tries it before anything is replaced.
        Ok(_) | Err(Error::Unfit(_)) if tls.password_file.is_some() => Ok(Vec::new()),
        looked => looked,
    }
}

/// A certificate and its key, with which a host proves itself.
fn of_pair(
    inputs: &Inputs<'_>,
    pair: [&PathBuf; 2],
    host: Option<&str>,
) -> Result<Vec<String>, Error> {
    let [certificate, key] = pair.map(|path| inputs.layout.resolve(path));
    let (pem, key_pem) = match (read(&certificate)?, read(&key)?) {
        (Found::Text(pem), Found::Text(key_pem)) => (pem, key_pem),
        // Who may not read them cannot judge them; what serves, which starts as root, can.
        (Found::Denied, _) | (_, Found::Denied) => return Ok(Vec::new()),
        (Found::Nothing, Found::Nothing) => return Err(Error::NoPair { certificate, key }),
        (Found::Text(_), Found::Nothing) => {
            return Err(Error::HalfPair { here: certificate, missing: key });
        }
        (Found::Nothing, Found::Text(_)) => {
            return Err(Error::HalfPair { here: key, missing: certificate });
        }
    };
    let [shown, shown_key] = [&certificate, &key].map(|path| format!("`{}`", path.display()));
    let unfit = |unfit| Error::Unfit(certificate::describe(unfit, &shown, &shown_key));
    let (read, validity) = certificate::fit(&pem, &key_pem, clock::unix_time()).map_err(unfit)?;
    let mut warnings: Vec<_> = ending(&shown, validity).into_iter().collect();
    if let Some(host) = host.filter(|host| !read.covers(host)) {
        warnings.push(format!("{shown} is not for `{host}`: clients will refuse it"));
    }
    Ok(warnings)
}

/// What verifies tokens.
fn of_tokens(inputs: &Inputs<'_>, token: &Token) -> Result<Vec<String>, Error> {
    let pair = inputs.token_pair();
    let mut warnings = Vec::new();
    if let Some(pair) = pair {
        let name = match inputs.instance.gitlab.as_ref().and_then(|it| it.token_key.as_ref()) {
            // The file's own pair has been warned of with its line.
            Some(_) => None,
            None => Some(format!("`{}`", inputs.layout.secrets_json().display())),
        };
        if let (Some(name), Ok(validity)) = (name, pair.check(clock::unix_time())) {
            warnings.extend(ending(&format!("the certificate of tokens in {name}"), validity));
        }
    }
    let Some(bundle) = token.root_cert_bundle.as_ref().map(|path| inputs.layout.resolve(path))
    else {
        return Ok(warnings);
    };
    if bundle != inputs.layout.token_crt() {
        warnings.extend(of_bundle(bundle, pair)?);
    }
    Ok(warnings)
}

/// The administrator's own bundle, and whether the key that GitLab is given belongs to it.
fn of_bundle(path: PathBuf, pair: Option<&Pair>) -> Result<Option<String>, Error> {
    let text = match read(&path)? {
        Found::Text(text) => text,
        Found::Denied => return Ok(None),
        Found::Nothing => return Err(Error::Missing { key: "registry.rootcertbundle", path }),
    };
    if Certificate::parse(&text).is_err() {
        return Err(Error::NoBundle(path));
    }
    let stranger = pair.is_some_and(|pair| !certificate::holds(&text, pair));
    Ok(stranger.then(|| {
        let path = path.display();
        format!(
            "`registry.rootcertbundle`: `{path}` does not hold the certificate of the key that GitLab is given: tokens signed with it are refused"
        )
    }))
}

fn ending(certificate: &str, validity: Validity) -> Option<String> {
    match validity {
        Validity::EndsOn(date) => Some(format!("{certificate} expires on {date}")),
        _ => None,
    }
}

/// What is at a path.
enum Found {
    Text(String),
    Nothing,
    Denied,
}

fn read(path: &Path) -> Result<Found, fs::Error> {
    match fs::read_to_string(path) {
        Ok(Some(text)) => Ok(Found::Text(text)),
        Ok(None) => Ok(Found::Nothing),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(Found::Denied),
        Err(error) => Err(error),
    }
}
