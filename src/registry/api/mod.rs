//! The HTTP API: the OCI distribution specification 1.1 as Docker Distribution speaks it.
//!
//! [`Api::answer`] turns a request into an answer: the path becomes a [`Route`], the method is checked
//! against what the route allows now, and one handler does the rest. Handlers know HTTP and
//! [`Content`]; they hold no storage.

mod authorize;
mod base;
mod blob;
mod body;
mod catalog;
mod condition;
mod document;
mod failure;
mod headers;
mod location;
mod manifest;
mod manifest_body;
mod negotiation;
mod page;
mod proxied;
mod range;
mod received;
mod referrers;
mod schema1;
mod sendfile;
mod settings;
mod tags;
mod upload;
mod validation;
mod warning;
mod witnessed;

use std::{sync::Arc, time::Duration};

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, LOCATION},
    request::Parts,
};
use http_body::Body as _;
use hyper::body::Incoming;
use oci::{ErrorCode, NameError, RepositoryName};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    auth::{Gate, Grant, User},
    config::Config,
    content::{BodyError, Content, WriteNotBegun, Writing},
    events::Events,
    health::Health,
    metrics::Handler,
    proxy::Proxy,
    redirect::Redirect,
    route::{self, NoRoute, Route},
    schema1::OwnKey,
    statistics::OpenRequest,
    upload::Signer,
};
pub(crate) use body::Body;
use failure::Failure;
pub(crate) use headers::read as read_headers;
pub(crate) use location::Secured;
use received::Received;
use settings::{Current, Settings};

pub use range::{ByteRanges, RangeError};

/// How many manifests of more than 64 KiB, and 4 MiB at most, are received at once.
const LARGE_MANIFESTS: usize = 64;

/// What a handler returns.
type Answer = Result<Response<Body>, Failure>;

/// The API of one registry.
#[derive(Debug)]
pub(crate) struct Api {
    gate: Gate,
    content: Content,
    events: Events,
    signer: Signer,
    health: Arc<Health>,
    /// Signs manifests of schema 1.
    signing_key: OwnKey,
    settings: Current,
    large_manifests: Semaphore,
    /// None for a registry that is pushed to.
    proxy: Option<Proxy>,
    /// None for a registry that serves every blob itself, or from its bucket.
    redirect: Option<Redirect>,
    /// How long a URL of the bucket holds. None: no client is sent there.
    bucket_urls: Option<Duration>,
}

/// What stands around the API, each with a life of its own.
#[derive(Debug)]
pub(crate) struct Around {
    pub(crate) events: Events,
    pub(crate) health: Arc<Health>,
    pub(crate) signing_key: OwnKey,
    /// None for a registry that is pushed to.
    pub(crate) proxy: Option<Proxy>,
    /// None for a registry that serves every blob itself.
    pub(crate) redirect: Option<Redirect>,
}

/// One request, without its body.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    api: &'a Api,
    settings: &'a Settings,
    /// None for a request that writes nothing.
    writing: Option<&'a Writing>,
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
    pub(crate) fn new(
        config: &Config,
        gate: Gate,
        content: Content,
        signer: Signer,
        around: Around,
    ) -> Self {
        let Around { events, health, signing_key, proxy, redirect } = around;
        let bucket_urls = config.storage.bucket_urls;
        Self {
            gate,
            content,
            events,
            signer,
            health,
            signing_key,
            settings: Current::new(Settings::new(config)),
            large_manifests: Semaphore::new(LARGE_MANIFESTS),
            proxy,
            redirect,
            bucket_urls,
        }
    }

    /// Whether everybody may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.gate.is_open()
    }

    /// Whether somebody is told of requests.
    pub(crate) fn has_listeners(&self) -> bool {
        self.events.is_on()
    }

    /// The registry behind this one, if there is one.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Takes the settings of a configuration; requests that have begun keep theirs.
    pub(crate) fn reconfigure(&self, config: &Config) {
        self.settings.replace(Settings::new(config));
        if let Some(proxy) = &self.proxy {
            proxy.take_schema1(config.schema1.enabled);
        }
    }

    /// Answers a request that there is no room for.
    pub(crate) fn refuse(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        drop(Received::new(&parts, body));
        base::busy(&parts.method)
    }

    /// Answers a request; whatever goes wrong is an answer too.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        counted: &mut OpenRequest,
    ) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        if !location::has_one_host(&parts) {
            return base::bad_request();
        }
        let body = Received::new(&parts, body);
        if self.health.is_ill() {
            counted.is_for(Handler::Other);
            return base::ill(&parts.method);
        }
        let settings = self.settings.get();
        let route = route::parse(&settings.external.prefix, parts.uri.path());
        counted.is_for(handler(route.as_ref().ok()));
        let answer = self.admit(&settings, route, &mut parts, body).await;
        let mut response = answer.unwrap_or_else(|failure| failure.into_response(&parts));
        for name in settings.headers.keys() {
            // A handler's own word is more exact than a header for all answers.
            if !response.headers().contains_key(name) {
                let values = settings.headers.get_all(name).iter().cloned();
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
    async fn admit(
        &self,
        settings: &Settings,
        route: Result<Route, NoRoute>,
        parts: &mut Parts,
        body: Received,
    ) -> Answer {
        let is_asked = !self.gate.is_open();
        let grant = match is_asked.then(|| authorize::wanted(&route, parts)) {
            None => Grant::everything(None),
            Some(None) => Grant::nothing(),
            Some(Some(wanted)) => {
                let admitted = self.gate.admit(parts, &wanted).await;
                admitted.map_err(|refusal| authorize::refused(refusal, &wanted))?
            }
        };
        if let Some(user) = grant.user() {
            parts.extensions.insert(user.clone());
        }
        let call = Call { api: self, settings, writing: None, parts, grant: &grant };
        self.route(call, route, body).await
    }

    async fn route(&self, call: Call<'_>, route: Result<Route, NoRoute>, body: Received) -> Answer {
        let Call { settings, parts, .. } = call;
        let route = match route {
            Ok(Route::Redirect(path)) => return redirect(&path, parts.uri.query()),
            Ok(route) => route,
            Err(none) => return Err(no_route(none, &parts.method)),
        };
        // Looked at once: what is allowed, what is said of it and what is done agree.
        let writing = match is_write(&parts.method) {
            true if settings.allowed(&route, false).contains(&parts.method) => {
                match self.content.begin_write_or_wait().await {
                    Ok(writing) => Some(writing),
                    Err(WriteNotBegun::ReadOnly) => None,
                    Err(WriteNotBegun::Later) => return Err(failure::later()),
                }
            }
            true => self.content.begin_write(),
            false => None,
        };
        let read_only = match is_write(&parts.method) {
            true => writing.is_none(),
            false => self.content.is_read_only(),
        };
        let allowed = settings.allowed(&route, read_only);
        if parts.method == Method::OPTIONS {
            return Ok(base::options(&allowed));
        }
        if !allowed.contains(&parts.method) {
            return Err(settings.not_allowed(&parts.method, &allowed, read_only));
        }
        let call = Call { writing: writing.as_ref(), ..call };
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
            (Route::Tag(name, tag), _) => call.delete_manifest(&name, &tag.into()).await,
            (Route::Referrers(name, subject), _) => call.referrers(&name, &subject).await,
            (Route::Catalog, _) => call.catalog().await,
            (Route::Base, _) => Ok(base::base(settings.delete && !read_only)),
            (Route::Root | Route::Redirect(_), _) => Ok(base::root()),
        }
    }
}

impl Call<'_> {
    /// The right to write, which every request has that comes this far and writes.
    fn writing(&self) -> Result<&Writing, Failure> {
        self.writing.ok_or_else(failure::read_only)
    }
}

/// What metrics call a resource.
fn handler(route: Option<&Route>) -> Handler {
    match route {
        Some(Route::Base) => Handler::Base,
        Some(Route::Blob(..)) => Handler::Blob,
        Some(Route::Uploads(_)) => Handler::BlobUpload,
        Some(Route::Upload(..)) => Handler::BlobUploadChunk,
        Some(Route::Catalog) => Handler::Catalog,
        Some(Route::Manifest(..)) => Handler::Manifest,
        Some(Route::Tags(_) | Route::Tag(..)) => Handler::Tags,
        Some(Route::Referrers(..)) => Handler::Referrers,
        Some(Route::Root | Route::Redirect(_)) | None => Handler::Other,
    }
}

fn is_write(method: &Method) -> bool {
    matches!(*method, Method::PUT | Method::POST | Method::PATCH | Method::DELETE)
}

/// Keeps what a GET would have answered, but for the body.
fn without_body(response: &mut Response<Body>) {
    let is_told = response.headers().contains_key(CONTENT_LENGTH);
    let Some(size) = response.body().size_hint().exact().or(is_told.then_some(0)) else {
        // An empty body would be said to be that long.
        *response.body_mut() = Body::unread();
        return;
    };
    let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    if !bodiless.contains(&response.status()) && !is_told {
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
        NoRoute::Name(name, error) => invalid_name(&name, &error),
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

/// Docker's clients refuse such names too, with less to say: the answer names the component, the rule and
/// a spelling that would do.
fn invalid_name(name: &str, error: &NameError) -> Failure {
    let spelling = RepositoryName::nearest(name);
    let detail = json!({
        "name": name,
        "component": error.component(),
        "rule": error.rule(),
        "valid": spelling.as_ref().map(RepositoryName::as_str),
    });
    let failure = Failure::new(ErrorCode::NameInvalid);
    match spelling {
        Some(spelling) => failure.because(format!("{error}; `{spelling}` would do")),
        None => failure.because(error),
    }
    .with_detail(detail)
}
