//! Certificates that an administrator brings: looked at before anything depends on them, because what reads
//! them later says less, and to fewer.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::{
    certificate::{self, Certificate, Pair, Validity},
    config::{
        instance::{Auth, Jwks, Token},
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
    if let Auth::Token(token) = &inputs.instance.registry.auth {
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
    let [certificate, key] =
        [&tls.certificate, &tls.certificate_key].map(|path| inputs.layout.resolve(path));
    let (pem, key_pem) = match (read(&certificate)?, read(&key)?) {
        (Found::Text(pem), Found::Text(key_pem)) => (pem, key_pem),
        // Who may not read them cannot judge them; nginx, which starts as root, can.
        (Found::Denied, _) | (_, Found::Denied) => return Ok(Vec::new()),
        _ if !inputs.instance.nginx.enable => return Ok(Vec::new()),
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
    let (read, validity) = match &tls.password_file {
        // nginx has the password, and tries it before anything is replaced.
        Some(_) => return Ok(Vec::new()),
        None => certificate::fit(&pem, &key_pem, clock::unix_time()).map_err(unfit)?,
    };
    let mut warnings: Vec<_> = ending(&shown, validity).into_iter().collect();
    let host = vhost.server_name.file_stem();
    if !read.covers(host) {
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
