//! Secrets that stand in files of their own: `NAME_file` gives `NAME` its value.

use std::path::Path;

use super::{
    checks::Findings,
    kind,
    settings::Settings,
    table::{self, Kind},
};

/// A file that the text names.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadRequest<'a> {
    pub(super) path: &'a Path,
    /// Whether nobody else may read it.
    pub(super) is_secret: bool,
}

/// Reads a file, or says why it cannot be read.
pub(super) type ReadFile<'a> = &'a dyn Fn(&ReadRequest<'_>) -> Result<String, String>;

/// The keys whose value may come from a file.
const KEYS: [(&str, &str); 9] = [
    ("registry.http_secret", "registry.http_secret_file"),
    ("registry.internal_key", "registry.internal_key_file"),
    ("registry.internal_certificate", "registry.internal_certificate_file"),
    ("registry.proxy.password", "registry.proxy.password_file"),
    ("registry.redis.password", "registry.redis.password_file"),
    ("registry.storage.s3.secretkey", "registry.storage.s3.secretkey_file"),
    ("registry.storage.s3.sessiontoken", "registry.storage.s3.sessiontoken_file"),
    ("registry.storage.s3aws.secretkey", "registry.storage.s3aws.secretkey_file"),
    ("registry.storage.s3aws.sessiontoken", "registry.storage.s3aws.sessiontoken_file"),
];

/// Reads every file that is named, once.
pub(super) fn read(settings: &mut Settings, findings: &mut Findings<'_>, read: ReadFile<'_>) {
    for (key, file_key) in KEYS {
        let (Some(path), Some(span)) = (settings.path(file_key), settings.written(file_key)) else {
            continue;
        };
        let assignment = findings.assignment(file_key, &span);
        if let Some(other) = settings.written(key) {
            let line = findings.line(&other);
            let message = format!("{assignment} sets what `{key}` on line {line} sets already");
            findings.problem(&span, file_key, message, "remove one of the two");
            continue;
        }
        let (_, row) = table::find(key).expect("the keys are rows of the key table");
        let is_secret = row.kind != Kind::Pem;
        let content = match read(&ReadRequest { path: &path, is_secret }) {
            Ok(content) => content,
            Err(reason) => {
                settings.spoil(key.to_owned());
                let message = format!("{assignment}: the file cannot be used: {reason}");
                let hint = "the file must exist, and nobody but its owner and group may read it";
                findings.problem(&span, file_key, message, hint);
                continue;
            }
        };
        match kind::check_file(row.kind, &content) {
            Ok(value) => settings.derive(key, value, file_key),
            Err(expected) => {
                settings.spoil(key.to_owned());
                let message = format!("{assignment}: the file must hold {expected}");
                findings.problem(&span, file_key, message, "what it holds is not shown");
            }
        }
    }
}
