//! An answer that says what went wrong: the spec's JSON errors, with a status and headers.

use std::fmt;

use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
    request::Parts,
};
use oci::{ErrorCode, Reference};
use serde_json::{Value, json};

use super::Body;
use crate::{
    auth::User,
    content::{Error, StorageKind},
    log::told,
    quota::Refused,
};

/// JSON as Distribution 2.8 labels it.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// How long a client should wait when the storage is full: somebody has to act first.
const FULL_SECONDS: u16 = 60;

/// A storage that does not answer may do so again at once.
const AWAY_SECONDS: u16 = 5;

/// What is left of the time that a migration takes.
const MOVED_SECONDS: u16 = 2;

/// What went wrong with a request.
#[derive(Debug)]
pub(crate) struct Failure {
    // Boxed: every handler's result has room for one.
    facts: Box<Facts>,
}

#[derive(Debug)]
struct Facts {
    status: StatusCode,
    errors: Vec<Entry>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log, not for the client.
    cause: Option<Error>,
}

#[derive(Debug)]
struct Entry {
    code: ErrorCode,
    message: String,
    detail: Value,
}

impl Failure {
    /// The code's own status and message.
    pub(super) fn new(code: ErrorCode) -> Self {
        let status = StatusCode::from_u16(code.status());
        let entry = Entry { code, message: code.message().to_owned(), detail: Value::Null };
        let facts = Facts {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            errors: vec![entry],
            headers: Vec::new(),
            cause: None,
        };
        Self { facts: Box::new(facts) }
    }

    /// A path that is none of the API's. Distribution answers in plain text; a JSON error tells clients more.
    pub(super) fn not_found() -> Self {
        Self::new(ErrorCode::Unsupported)
            .because("there is no such resource")
            .with_status(StatusCode::NOT_FOUND)
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.facts.status == StatusCode::NOT_FOUND
    }

    /// Another status than the code's own.
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.facts.status = status;
        self
    }

    /// Adds the reason to the message: clients print the message and seldom the detail.
    pub(super) fn because(mut self, reason: impl fmt::Display) -> Self {
        for entry in &mut self.facts.errors {
            let message = entry.code.message().trim_end_matches('.');
            entry.message = format!("{message}: {reason}");
        }
        self
    }

    pub(super) fn with_detail(mut self, detail: Value) -> Self {
        if let Some(entry) = self.facts.errors.first_mut() {
            entry.detail = detail;
        }
        self
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.facts.headers.push((name, value.into()));
        self
    }

    /// Logs what the operator should know, and tells the client what it may know.
    pub(super) fn into_response(self, parts: &Parts) -> Response<Body> {
        self.log(parts);
        let facts = self.facts;
        let errors: Vec<_> = facts
            .errors
            .iter()
            .map(|entry| {
                let Entry { code, message, detail } = entry;
                json!({ "code": code.as_str(), "message": message, "detail": detail })
            })
            .collect();
        let mut response = Response::new(Body::full(json!({ "errors": errors }).to_string()));
        *response.status_mut() = facts.status;
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        response.headers_mut().extend(facts.headers);
        response
    }

    /// What is not there is everyday life: every push asks first; and who is not let in has had a line
    /// that says why. The rest is worth one.
    fn log(&self, parts: &Parts) {
        let status = self.facts.status;
        let Some(entry) = self.facts.errors.first() else { return };
        // The level is compiled into each place that logs.
        macro_rules! log {
            ($log:ident) => {
                tracing::$log!(
                    http.request.method = parts.method.as_str(),
                    http.request.uri = parts.uri.path(),
                    http.response.status = status.as_u16(),
                    auth.user.name = parts.extensions.get::<User>().map(User::as_str),
                    err.code = entry.code.as_str(),
                    err.message = entry.message,
                    err.cause = self.facts.cause.as_ref().map(|cause| told(cause)),
                    "response completed with error"
                )
            };
        }
        match status {
            StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED => log!(debug),
            _ if status.is_server_error() => log!(error),
            _ => log!(info),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = match &error {
            Error::NameUnknown(name) => {
                Self::new(ErrorCode::NameUnknown).with_detail(json!({ "name": name.as_str() }))
            }
            Error::BlobUnknown(digest) => {
                Self::new(ErrorCode::BlobUnknown).with_detail(json!(digest.to_string()))
            }
            Error::ManifestUnknown(Reference::Tag(tag)) => {
                Self::new(ErrorCode::ManifestUnknown).with_detail(json!({ "tag": tag.as_str() }))
            }
            Error::ManifestUnknown(Reference::Digest(digest)) => {
                let detail = json!({ "digest": digest.to_string() });
                Self::new(ErrorCode::ManifestUnknown).with_detail(detail)
            }
            Error::UploadUnknown(id) => Self::new(ErrorCode::BlobUploadUnknown)
                .with_detail(json!({ "uuid": id.to_string() })),
            Error::DigestMismatch(mismatch) => {
                let (claimed, actual) = (mismatch.claimed.to_string(), mismatch.actual.to_string());
                let detail = json!({ "claimed": claimed, "actual": actual });
                Self::new(ErrorCode::DigestInvalid).because(&error).with_detail(detail)
            }
            Error::References(missing) => {
                let mut failure = Self::new(ErrorCode::ManifestBlobUnknown);
                failure.facts.errors = missing.iter().map(missing_entry).collect();
                failure
            }
            Error::Condition(_) => Self::new(ErrorCode::Denied)
                .because(&error)
                .with_status(StatusCode::PRECONDITION_FAILED),
            Error::Immutable { .. } => Self::new(ErrorCode::Denied).because(&error),
            Error::Quota(refused) => quota_failure(refused),
            Error::Manifest(reason) => Self::new(ErrorCode::ManifestInvalid).because(reason),
            Error::WrongOffset { .. } => Self::new(ErrorCode::RangeInvalid).because(&error),
            Error::WrongLength { .. } => Self::new(ErrorCode::SizeInvalid).because(&error),
            Error::UploadBusy(_) | Error::SilentAtTheEnd(_) => {
                Self::new(ErrorCode::Unavailable).because(&error).with_header(RETRY_AFTER, 1_u16)
            }
            Error::Body(_) | Error::TakenOver => Self::new(ErrorCode::BlobUploadInvalid)
                .because(&error)
                .with_status(StatusCode::BAD_REQUEST),
            Error::Storage(storage) => storage_failure(storage),
            Error::Panicked => Self::new(ErrorCode::Unknown),
        };
        failure.facts.cause = Some(error);
        failure
    }
}

/// A push that a quota has no room for, in figures too; or nobody knows whether it has.
fn quota_failure(refused: &Refused) -> Failure {
    match refused {
        Refused::Full(full) => Failure::new(ErrorCode::Denied).because(full).with_detail(json!({
            "quota": full.repositories,
            "limit": full.max_size,
            "used": full.used,
            "asked": full.asked,
        })),
        Refused::Record { .. } => Failure::new(ErrorCode::Unavailable)
            .because("how far a quota is used cannot be written down")
            .with_header(RETRY_AFTER, FULL_SECONDS),
    }
}

/// What a write gets from a registry that takes none.
pub(super) fn read_only() -> Failure {
    Failure::new(ErrorCode::Unsupported).because("the registry is read-only")
}

/// What a write gets that has waited for the end of a migration, or cannot.
pub(super) fn later() -> Failure {
    Failure::new(ErrorCode::Unavailable)
        .because("the storage is being moved, and the registry is read-only until that is done")
        .with_header(RETRY_AFTER, MOVED_SECONDS)
}

/// A client is told that the storage is full, since it should wait; not where it lies.
fn storage_failure(error: &storage::Error) -> Failure {
    match error.kind() {
        StorageKind::NoSpace => Failure::new(ErrorCode::Unavailable)
            .because("the storage is full")
            .with_header(RETRY_AFTER, FULL_SECONDS),
        StorageKind::Unavailable => Failure::new(ErrorCode::Unavailable)
            .because("the storage does not answer")
            .with_header(RETRY_AFTER, AWAY_SECONDS),
        _ => Failure::new(ErrorCode::Unknown),
    }
}

fn missing_entry(digest: &oci::Digest) -> Entry {
    let code = ErrorCode::ManifestBlobUnknown;
    let message = code.message().to_owned();
    Entry { code, message, detail: json!(digest.to_string()) }
}
