//! The version check, the root, and OPTIONS.

use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};

use super::{Body, failure::JSON};

/// `/v2/`: clients ask here whether this is a registry, and whether they may in.
pub(super) fn base() -> Response<Body> {
    let mut response = Response::new(Body::full("{}"));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
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
    const TEXT: &str = r#"{"errors":[{"code":"UNAVAILABLE","message":"service unavailable","detail":"health check failed: please see /debug/health"}]}"#;
    let body = if *method == Method::HEAD { Body::empty() } else { Body::full(TEXT) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
    if *method == Method::HEAD {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(TEXT.len()));
    }
    response
}

pub(super) fn allow(methods: &[Method]) -> HeaderValue {
    let names: Vec<_> = methods.iter().map(Method::as_str).collect();
    HeaderValue::try_from(names.join(", ")).expect("names of methods are tokens")
}
