//! The HTTP API: the OCI distribution specification 1.1 as Docker Distribution speaks it.
//!
//! [`Api::answer`] turns a request into an answer: the path becomes a [`Route`], the method is checked
//! against what the route allows, and one handler does the rest. Handlers know HTTP and
//! [`Content`]; they hold no storage.

mod authorize;
mod base;
mod blob;
mod body;
mod catalog;
mod failure;
mod location;
mod manifest;
mod page;
mod range;
mod tags;
mod upload;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_LENGTH, LOCATION},
    request::Parts,
};
use http_body::Body as _;
use hyper::body::Incoming;
use oci::ErrorCode;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    auth::{Gate, Grant, User},
    config::Config,
    content::{BodyError, Content},
    route::{self, NoRoute, Route},
    upload::Signer,
};
pub(crate) use body::Body;
use failure::Failure;
use location::External;

pub use range::{ByteRanges, RangeError};

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// How many manifests of more than 64 KiB, and 4 MiB at most, are received at once.
const LARGE_MANIFESTS: usize = 64;

/// What a handler returns.
type Answer = Result<Response<Body>, Failure>;

/// The API of one registry.
#[derive(Debug)]
pub(crate) struct Api {
    gate: Gate,
    content: Content,
    signer: Signer,
    external: External,
    headers: HeaderMap,
    /// `storage.delete.enabled`.
    delete: bool,
    /// `storage.maintenance.readonly.enabled`.
    read_only: bool,
    catalog_max_entries: usize,
    tags_max: usize,
    large_manifests: Semaphore,
}

/// One request, without its body.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    api: &'a Api,
    parts: &'a Parts,
    /// What the client may do, which the route's own needs have been held against.
    grant: &'a Grant,
}

impl From<hyper::Error> for BodyError {
    fn from(error: hyper::Error) -> Self {
        Self::new(error)
    }
}

impl Api {
    pub(crate) fn new(config: &Config, gate: Gate, content: Content, signer: Signer) -> Self {
        let mut headers: HeaderMap = config.http.headers.iter().cloned().collect();
        headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        Self {
            gate,
            content,
            signer,
            external: External::new(&config.http),
            headers,
            delete: config.storage.delete,
            read_only: config.storage.read_only,
            catalog_max_entries: config.catalog_max_entries,
            tags_max: config.tags_max,
            large_manifests: Semaphore::new(LARGE_MANIFESTS),
        }
    }

    /// Whether everybody may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.gate.is_open()
    }

    /// Whether the registry takes no writes.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Answers a request; whatever goes wrong is an answer too.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        if !location::has_one_host(&parts) {
            return base::bad_request();
        }
        let answer = self.admit(&mut parts, body).await;
        let mut response = answer.unwrap_or_else(|failure| failure.into_response(&parts));
        for name in self.headers.keys() {
            // A handler's own word is more exact than a header for all answers.
            if !response.headers().contains_key(name) {
                let values = self.headers.get_all(name).iter().cloned();
                response.headers_mut().extend(values.map(|value| (name.clone(), value)));
            }
        }
        if parts.method == Method::HEAD {
            without_body(&mut response);
        }
        if let Some(user) = parts.extensions.remove::<User>() {
            // For the access log.
            response.extensions_mut().insert(user);
        }
        response
    }

    /// Asks who it is, and for what, before anything is done; notes the name for the logs.
    async fn admit(&self, parts: &mut Parts, body: Incoming) -> Answer {
        let route = route::parse(&self.external.prefix, parts.uri.path());
        let grant = match authorize::wanted(&route, parts) {
            None => Grant::nothing(),
            Some(wanted) => {
                let admitted = self.gate.admit(parts, &wanted).await;
                admitted.map_err(|refusal| authorize::refused(refusal, &wanted))?
            }
        };
        if let Some(user) = grant.user() {
            parts.extensions.insert(user.clone());
        }
        self.route(Call { api: self, parts, grant: &grant }, route, body).await
    }

    async fn route(&self, call: Call<'_>, route: Result<Route, NoRoute>, body: Incoming) -> Answer {
        let parts = call.parts;
        let route = match route {
            Ok(Route::Redirect(path)) => return redirect(&path, parts.uri.query()),
            Ok(route) => route,
            Err(none) => return Err(no_route(none, &parts.method)),
        };
        let allowed = self.allowed(&route);
        if parts.method == Method::OPTIONS {
            return Ok(base::options(&allowed));
        }
        if !allowed.contains(&parts.method) {
            return Err(self.not_allowed(&parts.method, &allowed));
        }
        match (route, parts.method.as_str()) {
            (Route::Manifest(name, reference), "PUT") => {
                call.put_manifest(&name, &reference, body).await
            }
            (Route::Manifest(name, reference), "DELETE") => {
                call.delete_manifest(&name, &reference).await
            }
            (Route::Manifest(name, reference), _) => call.manifest(&name, &reference).await,
            (Route::Blob(name, digest), "DELETE") => call.delete_blob(&name, &digest).await,
            (Route::Blob(name, digest), _) => call.blob(&name, &digest).await,
            (Route::Uploads(name), _) => call.begin_upload(&name, body).await,
            (Route::Upload(name, id), "PATCH") => call.append(&name, id, body).await,
            (Route::Upload(name, id), "PUT") => call.commit(&name, id, body).await,
            (Route::Upload(name, id), "DELETE") => call.cancel_upload(&name, id).await,
            (Route::Upload(name, id), _) => call.upload(&name, id).await,
            (Route::Tags(name), _) => call.tags(&name).await,
            (Route::Catalog, _) => call.catalog().await,
            (Route::Base, _) => Ok(base::base()),
            (Route::Root | Route::Redirect(_), _) => Ok(base::root()),
        }
    }

    /// The methods that the route takes now: read-only and disabled deletes are told truthfully.
    fn allowed(&self, route: &Route) -> Vec<Method> {
        let read_only = self.is_read_only();
        let (read, write, delete): (_, &[Method], bool) = match route {
            Route::Root | Route::Base | Route::Catalog | Route::Tags(_) | Route::Redirect(_) => {
                (true, &[], false)
            }
            Route::Manifest(..) => (true, &[Method::PUT], self.delete),
            Route::Blob(..) => (true, &[], self.delete),
            Route::Uploads(_) => (false, &[Method::POST], false),
            // Giving up an upload deletes nothing that was pushed.
            Route::Upload(..) => (true, &[Method::PATCH, Method::PUT], true),
        };
        let mut methods = Vec::with_capacity(5);
        if delete && !read_only {
            methods.push(Method::DELETE);
        }
        if read {
            methods.extend([Method::GET, Method::HEAD]);
        }
        if !read_only {
            methods.extend_from_slice(write);
        }
        methods
    }

    fn not_allowed(&self, method: &Method, allowed: &[Method]) -> Failure {
        let writes = matches!(*method, Method::PUT | Method::POST | Method::PATCH | Method::DELETE);
        let why = if writes && self.is_read_only() {
            "the registry is read-only"
        } else if *method == Method::DELETE && !self.delete {
            "deletes are disabled (storage.delete.enabled)"
        } else {
            "the resource has no such method"
        };
        Failure::new(ErrorCode::Unsupported).because(why).with_header(ALLOW, base::allow(allowed))
    }
}

/// Keeps what a GET would have answered, but for the body.
fn without_body(response: &mut Response<Body>) {
    let size = response.body().size_hint().exact().unwrap_or(0);
    let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    if !bodiless.contains(&response.status()) && !response.headers().contains_key(CONTENT_LENGTH) {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    }
    *response.body_mut() = Body::empty();
}

fn redirect(path: &str, query: Option<&str>) -> Answer {
    let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let value = HeaderValue::try_from(target);
    response.headers_mut().insert(LOCATION, value.map_err(|_| Failure::not_found())?);
    Ok(response)
}

/// Bad names and digests are the client's mistake and get their own code; what has a form that nothing
/// can have is simply not there, when it is read.
fn no_route(none: NoRoute, method: &Method) -> Failure {
    match none {
        NoRoute::Unknown => Failure::not_found(),
        NoRoute::Name(name, error) => {
            Failure::new(ErrorCode::NameInvalid).because(error).with_detail(json!({ "name": name }))
        }
        NoRoute::Digest(digest, error) => Failure::new(ErrorCode::DigestInvalid)
            .because(error)
            .with_detail(json!({ "digest": digest })),
        NoRoute::Tag(_, tag, error) => {
            let code = if *method == Method::PUT {
                ErrorCode::TagInvalid
            } else {
                ErrorCode::ManifestUnknown
            };
            Failure::new(code).because(error).with_detail(json!({ "tag": tag }))
        }
        NoRoute::Upload(id) => {
            Failure::new(ErrorCode::BlobUploadUnknown).with_detail(json!({ "uuid": id }))
        }
    }
}
