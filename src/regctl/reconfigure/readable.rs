//! The files that an administrator brings and the registry reads, as its account finds them: who may log in, keys
//! and certificates. Whose they are is the administrator's to say: they are looked at and never changed.

use std::path::{Path, PathBuf};

use super::storage_folder::{Account, Error};
use crate::{
    config::{
        Instance,
        instance::{Auth, Jwks, RegistryTls},
    },
    state::{Layout, Owners},
};

/// A key of `instance.toml`, and a file that it names.
type Read<'a> = (&'static str, &'a PathBuf);

/// The keys that name a certificate, its key, and the authorities of clients.
pub(super) const TLS: [&str; 3] =
    ["registry.http.tls.certificate", "registry.http.tls.key", "registry.http.tls.clientcas"];
pub(super) const DEBUG_TLS: [&str; 3] = [
    "registry.http.debug.tls.certificate",
    "registry.http.debug.tls.key",
    "registry.http.debug.tls.clientcas",
];

/// Returns each file that the registry could not read, with the key that names it.
pub(super) fn check(
    layout: &Layout,
    instance: &Instance,
    owners: &Owners,
) -> Result<Vec<(&'static str, Error)>, Error> {
    let Some(account) = Account::find(owners)? else { return Ok(Vec::new()) };
    // What reconfigure writes there gets its owner from it.
    let own = layout.config_yml();
    let is_own = |path: &Path| own.parent().is_some_and(|folder| path.starts_with(folder));
    let named = files(instance).into_iter().map(|(key, path)| (key, layout.resolve(path)));
    let named = named.filter(|(_, path)| !is_own(path));
    Ok(named.filter_map(|(key, path)| Some((key, account.reads(&path).err()?))).collect())
}

fn files(instance: &Instance) -> Vec<Read<'_>> {
    let registry = &instance.registry;
    let mut files = of_auth(&registry.auth);
    if let Some(tls) = &registry.http.tls {
        files.extend(of_tls(tls, TLS));
    }
    if let Some(tls) = registry.http.debug.as_ref().and_then(|debug| debug.tls.as_ref()) {
        files.extend(of_tls(tls, DEBUG_TLS));
    }
    let signing_key = registry.schema1.signing_key_file.iter();
    files.extend(signing_key.map(|path| ("registry.compatibility.schema1.signingkeyfile", path)));
    let active = registry.middleware.iter().filter(|middleware| !middleware.is_disabled);
    let signing = active.filter_map(|middleware| middleware.signing.as_ref());
    files.extend(signing.map(|signing| ("registry.middleware.storage", &signing.private_key)));
    let roots = registry.redis.iter().flat_map(|redis| &redis.roots);
    files.extend(roots.map(|path| ("registry.redis.tls.rootcas", path)));
    files
}

fn of_auth(auth: &Auth) -> Vec<Read<'_>> {
    match auth {
        Auth::None | Auth::Silly { .. } => Vec::new(),
        Auth::Htpasswd { path, .. } => vec![("registry.auth.htpasswd.path", path)],
        Auth::Token(token) => {
            let bundle = token.root_cert_bundle.iter();
            let bundle = bundle.map(|path| ("registry.auth.token.rootcertbundle", path));
            let jwks = token.jwks.iter().filter_map(|jwks| match jwks {
                Jwks::File(path) => Some(("registry.auth.token.jwks", path)),
                Jwks::Url(_) => None,
            });
            bundle.chain(jwks).collect()
        }
    }
}

fn of_tls<'a>(
    tls: &'a RegistryTls,
    [certificate, key, authorities]: [&'static str; 3],
) -> impl Iterator<Item = Read<'a>> {
    let authorities = tls.client_authorities.iter().map(move |path| (authorities, path));
    [(certificate, &tls.certificate), (key, &tls.key)].into_iter().chain(authorities)
}
