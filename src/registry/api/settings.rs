//! The settings that answers depend on, which a reload replaces as one.

use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header::ALLOW};
use oci::ErrorCode;

use super::{
    base,
    failure::{self, Failure},
    location::External,
    sendfile::Nginx,
};
use crate::{
    config::{Config, Validation},
    route::Route,
};

pub(super) const API_VERSION: HeaderName =
    HeaderName::from_static("docker-distribution-api-version");

/// What one request goes by, from its beginning to its end.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) external: External,
    pub(super) headers: HeaderMap,
    /// `storage.delete.enabled`.
    pub(super) delete: bool,
    pub(super) catalog_max_entries: usize,
    pub(super) tags_max: usize,
    /// `compatibility.schema1.enabled`.
    pub(super) schema1: bool,
    /// Whether this is a cache in front of another registry, where everything is pushed to.
    is_proxy: bool,
    pub(super) validation: Validation,
    /// Who sends large blobs itself.
    pub(super) nginx: Option<Nginx>,
}

impl Settings {
    pub(super) fn new(config: &Config) -> Self {
        let mut headers: HeaderMap = config.http.headers.iter().cloned().collect();
        headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        let nginx = config.sendfile.as_ref().and_then(|config| Nginx::new(config, &headers));
        Self {
            external: External::new(&config.http),
            headers,
            nginx,
            delete: config.storage.delete,
            catalog_max_entries: config.catalog_max_entries,
            tags_max: config.tags_max,
            schema1: config.schema1.enabled,
            is_proxy: config.proxy.is_some(),
            validation: config.validation.clone(),
        }
    }

    /// The methods that the route takes now: read-only and disabled deletes are told truthfully.
    pub(super) fn allowed(&self, route: &Route, read_only: bool) -> Vec<Method> {
        let (read, write, delete): (_, &[Method], bool) = match route {
            Route::Root | Route::Base | Route::Catalog | Route::Tags(_) | Route::Redirect(_) => {
                (true, &[], false)
            }
            Route::Tag(..) => (false, &[], self.delete),
            Route::Referrers(..) => (true, &[], false),
            Route::Manifest(..) => (true, &[Method::PUT], self.delete),
            Route::Blob(..) => (true, &[], self.delete),
            Route::Uploads(_) => (false, &[Method::POST], false),
            // Giving up an upload deletes nothing that was pushed.
            Route::Upload(..) => (true, &[Method::PATCH, Method::PUT], true),
        };
        let read_only = read_only || self.is_proxy;
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

    pub(super) fn not_allowed(
        &self,
        method: &Method,
        allowed: &[Method],
        read_only: bool,
    ) -> Failure {
        if super::is_write(method) && self.is_proxy {
            let why = "this registry is a cache; push to the registry behind it";
            let failure = Failure::new(ErrorCode::Unsupported).because(why);
            return failure.with_header(ALLOW, base::allow(allowed));
        }
        if super::is_write(method) && read_only {
            return failure::read_only().with_header(ALLOW, base::allow(allowed));
        }
        let why = if *method == Method::DELETE && !self.delete {
            "deletes are disabled (storage.delete.enabled)"
        } else {
            "the resource has no such method"
        };
        Failure::new(ErrorCode::Unsupported).because(why).with_header(ALLOW, base::allow(allowed))
    }
}

/// The settings of requests that begin now.
#[derive(Debug)]
pub(super) struct Current(RwLock<Arc<Settings>>);

impl Current {
    pub(super) fn new(settings: Settings) -> Self {
        Self(RwLock::new(Arc::new(settings)))
    }

    pub(super) fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn replace(&self, settings: Settings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}
