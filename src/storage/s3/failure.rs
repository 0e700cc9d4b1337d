//! What the store, or the way to it, has to say for itself, and what an administrator can do about it.

use std::{
    error::Error as StdError,
    fmt::{self, Write as _},
    iter,
};

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::Kind;

/// As much as is told of a store's own words.
const MESSAGE_CHARS: usize = 300;

const NO_CREDENTIALS: &str = "set `accesskey` and `secretkey`, or give this machine a role";

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The store has refused it.
    Refused(Refusal),
    /// There was no answer.
    Unanswered { what: String, hint: Option<&'static str> },
}

/// What the store has answered.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    status: u16,
    /// `NoSuchKey`, `AccessDenied`; none where the answer has no body, as that to a HEAD.
    code: Option<String>,
    message: Option<String>,
    /// Where the bucket is, if the store says so.
    region: Option<String>,
    operation: &'static str,
}

impl Failure {
    /// What a failed request says. The operation is the one in messages: "read", "write".
    pub(super) fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let Some(response) =
            error.raw_response().filter(|response| !response.status().is_success())
        else {
            return Self::unanswered(error);
        };
        let metadata = error.as_service_error();
        let text = |text: Option<&str>| text.map(printable).filter(|text| !text.is_empty());
        Self::Refused(Refusal {
            status: response.status().as_u16(),
            code: text(metadata.and_then(ProvideErrorMetadata::code)),
            message: text(metadata.and_then(ProvideErrorMetadata::message)),
            region: text(response.headers().get("x-amz-bucket-region")),
            operation,
        })
    }

    /// What the store says of one of several objects, in an answer that is none of a failure.
    pub(super) fn of_one(
        operation: &'static str,
        code: Option<&str>,
        message: Option<&str>,
    ) -> Self {
        let (code, message) = (code.map(printable), message.map(printable));
        Self::Refused(Refusal { code, message, operation, ..Refusal::default() })
    }

    fn unanswered<E: ProvideErrorMetadata + StdError + 'static>(
        error: &SdkError<E, HttpResponse>,
    ) -> Self {
        let causes = iter::successors(Some(error as &dyn StdError), |error| (*error).source());
        let mut told: Vec<String> = causes.map(ToString::to_string).collect();
        told.dedup();
        let hint = transport_hint(&told);
        // The outer ones say that something went wrong, the last ones what.
        let mut what = told.split_off(told.len().saturating_sub(2)).join(": ");
        if hint == Some(NO_CREDENTIALS) {
            what = format!("there are no credentials: {what}");
        }
        Self::Unanswered { what: printable(&what), hint }
    }

    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => refusal.code.as_deref(),
            Self::Unanswered { .. } => None,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        let refusal = match self {
            Self::Refused(refusal) => refusal,
            Self::Unanswered { .. } => return Kind::Unavailable,
        };
        match (refusal.code.as_deref(), refusal.status) {
            (Some("NoSuchKey" | "NotFound" | "NoSuchUpload"), _) | (None, 404) => Kind::NotFound,
            (Some("PreconditionFailed"), _) | (None, 412) => Kind::Truncated,
            (
                Some("QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" | "StorageFull"),
                _,
            )
            | (_, 507) => Kind::NoSpace,
            (
                Some(
                    "AccessDenied"
                    | "InvalidAccessKeyId"
                    | "SignatureDoesNotMatch"
                    | "AllAccessDisabled",
                ),
                _,
            )
            | (_, 401 | 403) => Kind::Denied,
            (Some("SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout"), _)
            | (_, 429 | 500 | 502 | 503 | 504) => Kind::Unavailable,
            _ => Kind::Other,
        }
    }
}

impl Refusal {
    fn hint(&self) -> Option<&'static str> {
        Some(match (self.code.as_deref(), self.status) {
            (Some("NoSuchBucket"), _) => "there is no such bucket: create it, or correct `bucket`",
            (Some("InvalidAccessKeyId"), _) => {
                "the store does not know this key: correct `accesskey`"
            }
            (Some("SignatureDoesNotMatch"), _) => {
                "the secret key is another: correct `secretkey`; or `region`, which is part of the signature"
            }
            (Some("RequestTimeTooSkewed" | "RequestExpired"), _) => {
                "this machine's clock and the store's differ: set it"
            }
            (Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired"), _) => {
                "the temporary credentials have run out"
            }
            (
                Some(
                    "AuthorizationHeaderMalformed"
                    | "PermanentRedirect"
                    | "IllegalLocationConstraintException"
                    | "IncorrectEndpoint",
                ),
                _,
            )
            | (_, 301 | 307) => "the bucket is in another region: correct `region`",
            (Some("AccessDenied") | None, 403) => self.permission(),
            (Some("SlowDown" | "TooManyRequests"), _) | (_, 429) => {
                "the store is asked too often: set `maxrequestspersecond`"
            }
            _ => return None,
        })
    }

    /// What somebody who may not do it lacks.
    fn permission(&self) -> &'static str {
        match self.operation {
            "read" | "open" => "the credentials lack s3:GetObject on the bucket's objects",
            // Without the second, what is not there is refused like what may not be read.
            "stat" => "the credentials lack s3:GetObject, or s3:ListBucket on the bucket",
            "list" => "the credentials lack s3:ListBucket on the bucket",
            "delete" => "the credentials lack s3:DeleteObject on the bucket's objects",
            "list uploads of" => "the credentials lack s3:ListBucketMultipartUploads on the bucket",
            "list parts of" => {
                "the credentials lack s3:ListMultipartUploadParts on the bucket's objects"
            }
            "abort" => "the credentials lack s3:AbortMultipartUpload on the bucket's objects",
            _ => "the credentials lack s3:PutObject on the bucket's objects",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unanswered { what, hint: None } => f.write_str(what),
            Self::Unanswered { what, hint: Some(hint) } => write!(f, "{what} ({hint})"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = String::new();
        match (&self.code, self.status) {
            (Some(code), 0) => told.push_str(code),
            (Some(code), status) => write!(told, "{code} ({status})")?,
            (None, status) => write!(told, "status {status}")?,
        }
        if let Some(message) = &self.message {
            write!(told, ": {message}")?;
        }
        if let Some(region) = &self.region
            && matches!(self.status, 301 | 307 | 400)
        {
            write!(told, ": the bucket is in `{region}`")?;
        }
        f.write_str(told.trim_end_matches('.'))?;
        match self.hint() {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl StdError for Failure {}

fn transport_hint(told: &[String]) -> Option<&'static str> {
    let has = |word: &str| told.iter().any(|text| text.to_ascii_lowercase().contains(word));
    if has("certificate") {
        return Some(
            "trust its authority on this machine, or set `skipverify`; names must agree with `regionendpoint`",
        );
    }
    if has("credentials") {
        return Some(NO_CREDENTIALS);
    }
    if has("dns") || has("lookup") {
        return Some("correct `regionendpoint`, or `region`");
    }
    if has("corrupt message") {
        return Some("it speaks no TLS there: write `http://` before it, or set `secure: false`");
    }
    if has("refused") {
        return Some("nothing listens there: is the store up, and `regionendpoint` right?");
    }
    None
}

/// Text that somebody else has written, for one line of a log.
fn printable(text: &str) -> String {
    let line = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    line.take(MESSAGE_CHARS).collect::<String>().trim().to_owned()
}
