//! Answers of the debug server, where Distribution has them.

use std::convert::Infallible;

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;

use super::{Debug, numbers};
use crate::metrics::Page;

/// Profiles of Go's runtime, which is not there.
const NO_PROFILES: &str =
    "there are no profiles here: this registry has no runtime of Go; use perf\n";

type Answer = Response<Full<Bytes>>;

/// Answers a request; whatever goes wrong is an answer too.
pub(super) fn answer(debug: &Debug, request: &Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_post = *request.method() == Method::POST;
    Ok(match path {
        "/debug/health" if is_read => health(debug),
        "/debug/health/down" if is_post => set_down(debug, true),
        "/debug/health/up" if is_post => set_down(debug, false),
        "/debug/vars" if is_read => {
            document(StatusCode::OK, &numbers::variables(&debug.shared, &debug.control))
        }
        path if is_read && debug.metrics.as_deref() == Some(path) => {
            text(StatusCode::OK, Page::TYPE, numbers::metrics(&debug.shared, &debug.control))
        }
        path if path.starts_with("/debug/pprof") => {
            text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", NO_PROFILES)
        }
        _ => text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n"),
    })
}

fn health(debug: &Debug) -> Answer {
    let failing = debug.control.failing_checks();
    let is_well = failing.is_empty();
    document(if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &failing)
}

fn set_down(debug: &Debug, is_down: bool) -> Answer {
    if debug.shared.health.set_down(is_down) {
        tracing::warn!(is_down, "the registry's service was switched through the debug server");
    }
    Response::new(Full::default())
}

fn document(status: StatusCode, document: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(document).expect("texts, numbers and lists are always JSON");
    text(status, "application/json; charset=utf-8", bytes)
}

fn text(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(bytes.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
