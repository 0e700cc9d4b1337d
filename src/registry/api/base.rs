//! The version check, the root, and OPTIONS.

use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};

use super::{Body, failure::JSON};

const GITLAB_VERSION: HeaderName = HeaderName::from_static("gitlab-container-registry-version");
const GITLAB_FEATURES: HeaderName = HeaderName::from_static("gitlab-container-registry-features");
const GITLAB_DATABASE: HeaderName =
    HeaderName::from_static("gitlab-container-registry-database-enabled");

/// `/v2/`: clients ask here whether this is a registry, and whether they may in.
///
/// GitLab Rails asks what it can do. Without the feature it deletes tags by pushing a manifest of its own
/// onto them and deleting that.
pub(super) fn base(deletes_tags: bool) -> Response<Body> {
    let mut response = Response::new(Body::full("{}"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(GITLAB_VERSION, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    headers.insert(GITLAB_DATABASE, HeaderValue::from_static("false"));
    if deletes_tags {
        headers.insert(GITLAB_FEATURES, HeaderValue::from_static("tag_delete"));
    }
    response
}

/// `/`: load balancers ask here.
pub(super) fn root() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// What may be done; GitLab finds out here whether tags can be deleted.
pub(super) fn options(allowed: &[Method]) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(ALLOW, allow(allowed));
    response
}

/// For what is no request of HTTP: nothing that follows on the connection can be trusted.
pub(super) fn bad_request() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// For every request while a health check fails, in Distribution's words.
pub(super) fn ill(method: &Method) -> Response<Body> {
    unavailable(
        method,
        r#"{"errors":[{"code":"UNAVAILABLE","message":"service unavailable","detail":"health check failed: please see /debug/health"}]}"#,
    )
}

/// For a request that comes on top of as many as there are open files for.
pub(super) fn busy(method: &Method) -> Response<Body> {
    unavailable(
        method,
        r#"{"errors":[{"code":"UNAVAILABLE","message":"service unavailable","detail":"as many requests are under way as open files are allowed"}]}"#,
    )
}

fn unavailable(method: &Method, text: &'static str) -> Response<Body> {
    let body = if *method == Method::HEAD { Body::empty() } else { Body::full(text) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
    if *method == Method::HEAD {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    }
    response
}

pub(super) fn allow(methods: &[Method]) -> HeaderValue {
    let names: Vec<_> = methods.iter().map(Method::as_str).collect();
    HeaderValue::try_from(names.join(", ")).expect("names of methods are tokens")
}
