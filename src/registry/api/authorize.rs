//! What a request needs to be allowed, as Distribution asks for it.
//!
//! The method decides: reading is `pull`, writing `pull` and `push`, deleting `delete`, giving up an upload
//! among it. A mount would also like to pull from the repository it mounts from. Below `/v2/` nobody
//! gets any other answer before that is settled; what no path can be is told to everybody.

use http::{Method, request::Parts};
use oci::{ErrorCode, RepositoryName};
use serde_json::{Value, json};

use super::{Failure, page::query};
use crate::{
    auth::{Access, Action, Refusal, Resource, Wanted},
    route::{NoRoute, Route},
};

/// How long a client should wait when too many passwords are being verified.
const BUSY_SECONDS: u16 = 1;

/// What a request wants; none if it is nobody's business.
pub(super) fn wanted(route: &Result<Route, NoRoute>, parts: &Parts) -> Option<Wanted> {
    Some(match route {
        Ok(Route::Root | Route::Redirect(_)) | Err(NoRoute::Unknown) => return None,
        Ok(Route::Base) | Err(NoRoute::Name(..) | NoRoute::Digest(..) | NoRoute::Upload(_)) => {
            Wanted::default()
        }
        Ok(Route::Catalog) => {
            let access = Access { resource: Resource::Catalog, action: Action::All };
            Wanted { required: vec![access], welcome: None }
        }
        Ok(Route::Uploads(name)) => {
            let source = query(parts, "from").and_then(|from| from.parse().ok());
            let source = source.filter(|_| parts.method == Method::POST);
            let welcome = source.map(|source| Access::to_repository(&source, Action::Pull));
            Wanted { required: on_repository(name, &parts.method), welcome }
        }
        Ok(
            Route::Tags(name)
            | Route::Tag(name, _)
            | Route::Referrers(name, _)
            | Route::Manifest(name, _)
            | Route::Blob(name, _)
            | Route::Upload(name, _),
        )
        | Err(NoRoute::Tag(name, ..)) => {
            Wanted { required: on_repository(name, &parts.method), welcome: None }
        }
    })
}

fn on_repository(name: &RepositoryName, method: &Method) -> Vec<Access> {
    let actions: &[Action] = match method.as_str() {
        "GET" | "HEAD" => &[Action::Pull],
        "POST" | "PUT" | "PATCH" => &[Action::Pull, Action::Push],
        "DELETE" => &[Action::Delete],
        _ => &[],
    };
    actions.iter().map(|action| Access::to_repository(name, *action)).collect()
}

/// The answer to who was not let in.
pub(super) fn refused(refusal: Refusal, wanted: &Wanted) -> Failure {
    match refusal {
        Refusal::Challenge(challenge) => Failure::new(ErrorCode::Unauthorized)
            .with_detail(detail(wanted))
            .with_header(http::header::WWW_AUTHENTICATE, challenge),
        Refusal::Busy => Failure::new(ErrorCode::Unavailable)
            .because("too many passwords are being verified")
            .with_header(http::header::RETRY_AFTER, BUSY_SECONDS),
    }
}

/// Distribution's own records, with Go's names.
fn detail(wanted: &Wanted) -> Value {
    let records: Vec<Value> = wanted
        .all()
        .map(|access| {
            json!({
                "Type": access.resource.kind(),
                "Class": "",
                "Name": access.resource.name(),
                "Action": access.action.as_str(),
            })
        })
        .collect();
    if records.is_empty() { Value::Null } else { Value::Array(records) }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::route;

    fn wants(method: &str, target: &str) -> Option<String> {
        let request = Request::builder().method(method).uri(target).body(()).unwrap();
        let (parts, ()) = request.into_parts();
        let wanted = wanted(&route::parse("/", parts.uri.path()), &parts)?;
        let all: Vec<_> = wanted.required.iter().map(ToString::to_string).collect();
        let welcome = wanted.welcome.map(|access| format!(" ({access})")).unwrap_or_default();
        Some(all.join(" ") + &welcome)
    }

    #[test]
    fn each_method_on_each_route_wants_what_distribution_asks_for() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let upload = "/v2/a/b/blobs/uploads/0f6ff9ca-7d3c-4b0e-b2d3-2b64c0b3c1a5";
        let (blob, uploads) = (format!("/v2/a/b/blobs/{digest}"), "/v2/a/b/blobs/uploads/");
        let (pull, delete) = ("repository:a/b:pull", "repository:a/b:delete");
        let push = "repository:a/b:pull repository:a/b:push";
        for (method, target, expected) in [
            ("GET", "/", None),
            ("GET", "/v2", None),
            ("GET", "/v3/", None),
            ("GET", "/v2/", Some("")),
            ("DELETE", "/v2/", Some("")),
            ("GET", "/v2/_catalog", Some("registry:catalog:*")),
            ("POST", "/v2/_catalog", Some("registry:catalog:*")),
            ("GET", "/v2/a/b/tags/list", Some(pull)),
            ("GET", "/v2/a/b/manifests/v1", Some(pull)),
            ("HEAD", "/v2/a/b/manifests/v1", Some(pull)),
            ("PUT", "/v2/a/b/manifests/v1", Some(push)),
            ("DELETE", "/v2/a/b/manifests/v1", Some(delete)),
            ("OPTIONS", "/v2/a/b/manifests/v1", Some("")),
            ("PURGE", "/v2/a/b/manifests/v1", Some("")),
            ("PUT", "/v2/a/b/manifests/.x", Some(push)),
            ("DELETE", "/v2/a/b/tags/reference/v1", Some(delete)),
            ("GET", &format!("/v2/a/b/referrers/{digest}"), Some(pull)),
            ("GET", &blob, Some(pull)),
            ("GET", &format!("{blob}?from=c"), Some(pull)),
            ("DELETE", &blob, Some(delete)),
            ("GET", "/v2/a/b/blobs/sha256:x", Some("")),
            ("GET", "/v2/A/../b/tags/list", Some("")),
            ("POST", uploads, Some(push)),
            (
                "POST",
                &format!("{uploads}?mount={digest}&from=c/d"),
                Some("repository:a/b:pull repository:a/b:push (repository:c/d:pull)"),
            ),
            ("POST", &format!("{uploads}?mount={digest}&from=C"), Some(push)),
            ("GET", upload, Some(pull)),
            ("PATCH", upload, Some(push)),
            ("PUT", upload, Some(push)),
            ("DELETE", upload, Some(delete)),
        ] {
            assert_eq!(wants(method, target).as_deref(), expected, "{method} {target}");
        }
    }
}
