//! Where GitLab's key may be written: nowhere that something else is, or would be.
//!
//! The path is any that an administrator writes, and root writes there: a slip such as the path of the TLS key
//! would cost a file that may exist once.

use std::path::{Path, PathBuf};

use super::handover::Error;
use crate::{
    certificate::{PrivateKey, Unreadable},
    config::{Named, instance::Driver},
    render::Inputs,
    sys::fs,
};

/// The key of `instance.toml` that names the place.
pub(super) const KEY: &str = "gitlab_rails.registry_key_path";

/// Refuses a place that is taken, by name or by what is there.
pub(super) fn check(
    inputs: &Inputs<'_>,
    named: &[Named],
    path: &Path,
    found: Option<&str>,
) -> Result<(), Error> {
    let place = Place::of(path)?;
    if let Some(what) = taken(inputs, named, &place)? {
        return Err(Error::Taken { path: path.to_owned(), what });
    }
    match found.and_then(stranger) {
        Some(found) => Err(Error::Stranger { path: path.to_owned(), found }),
        None => Ok(()),
    }
}

/// A path, as it is written and as the kernel finds it.
struct Place {
    written: PathBuf,
    real: PathBuf,
}

impl Place {
    fn of(path: &Path) -> Result<Self, fs::Error> {
        Ok(Self { written: path.to_owned(), real: fs::real_path(path)? })
    }

    /// Whether two paths mean one file, also through links.
    fn is(&self, path: &Path) -> Result<bool, fs::Error> {
        Ok(self.written == path
            || self.real == fs::real_path(path)?
            || fs::is_same_file(&self.written, path))
    }

    fn is_below(&self, folder: &Path) -> Result<bool, fs::Error> {
        Ok(self.written.starts_with(folder) || self.real.starts_with(fs::real_path(folder)?))
    }
}

/// Returns what the place belongs to.
fn taken(inputs: &Inputs<'_>, named: &[Named], place: &Place) -> Result<Option<String>, fs::Error> {
    let layout = inputs.layout;
    for path in layout.managed() {
        if place.is(&path)? {
            return Ok(Some("a file of regctl's own".to_owned()));
        }
    }
    for Named { key, path } in named.iter().filter(|named| named.key != KEY) {
        if place.is(&layout.resolve(path))? {
            return Ok(Some(format!("what `{key}` names")));
        }
    }
    let mut folders = vec![
        (layout.templates(), "the folder of templates"),
        (layout.state(), "the folder of regctl's state"),
        (layout.run(), "the folder of sockets and locks"),
    ];
    if let Driver::Filesystem { root_directory, .. } = &inputs.instance.registry.storage.driver {
        folders.push((layout.resolve(root_directory), "the storage"));
    }
    for (folder, what) in folders {
        if place.is_below(&folder)? {
            return Ok(Some(format!("in {what}")));
        }
    }
    Ok(None)
}

/// Returns what a file holds that is neither empty nor a private key alone.
fn stranger(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return None;
    }
    if matches!(PrivateKey::parse(text), Err(Unreadable::None)) {
        return Some(match text.contains("-----BEGIN CERTIFICATE-----") {
            true => "a certificate",
            false => "no private key in PEM",
        });
    }
    let begins = text.split("-----BEGIN ").skip(1);
    let labels = begins.filter_map(|rest| rest.split("-----").next());
    let is_alone = |label: &str| label.ends_with("PRIVATE KEY") || label == "EC PARAMETERS";
    let mut others = labels.filter(|label| !is_alone(label));
    others.next().map(|_| "a private key together with a certificate or something else")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_alone_is_replaced() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let curve =
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        for text in ["", "\n", &key, &format!("{curve}{key}")] {
            assert_eq!(stranger(text), None, "{text}");
        }
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(stranger(certificate), Some("a certificate"));
        assert_eq!(stranger("notes\n"), Some("no private key in PEM"));
        assert!(stranger(&format!("{key}{certificate}")).is_some());
    }
}
