//! What the registry's URLs look like from outside.
//!
//! Behind a proxy the request's own scheme and host are not what the client typed. In this order, as
//! Distribution: `http.host`, `Forwarded` (RFC 7239), `X-Forwarded-Proto` and `-Host`, the `Host` header.
//! With `http.relativeurls` a location is a path.

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{FORWARDED, HOST},
    request::Parts,
    uri::Authority,
};

use crate::config::{ExternalHost, Http};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The settings that shape URLs.
#[derive(Debug)]
pub(super) struct External {
    /// Begins and ends with a slash.
    pub(super) prefix: String,
    host: Option<ExternalHost>,
    relative: bool,
}

impl External {
    pub(super) fn new(http: &Http) -> Self {
        Self { prefix: http.prefix.clone(), host: http.host.clone(), relative: http.relative_urls }
    }

    /// The location of `v2/<path>` for who sent this request.
    pub(super) fn location(&self, parts: &Parts, path: &str) -> HeaderValue {
        let origin = if self.relative { None } else { self.origin(parts) };
        let location = format!("{}{}v2/{path}", origin.unwrap_or_default(), self.prefix);
        HeaderValue::try_from(location).expect("names, digests and checked hosts are visible ASCII")
    }

    /// `https://registry.example.com:8443`; none if the request does not say.
    fn origin(&self, parts: &Parts) -> Option<String> {
        if let Some(ExternalHost { scheme, authority }) = &self.host {
            return Some(format!("{scheme}://{authority}"));
        }
        let forwarded = forwarded(&parts.headers);
        let scheme = forwarded.scheme.unwrap_or_else(|| own_scheme(parts));
        let own = || {
            let sent = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
            parts.uri.authority().map(Authority::as_str).or(sent)
        };
        let authority = forwarded.host.or_else(own)?;
        // What somebody sent goes into a header again: only what is a host and a port.
        let authority: Authority = authority.parse().ok()?;
        (!authority.as_str().contains('@')).then(|| format!("{scheme}://{authority}"))
    }
}

/// A request that came over TLS; one without this mark did not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secured;

fn own_scheme(parts: &Parts) -> &'static str {
    if parts.extensions.get::<Secured>().is_some() { "https" } else { "http" }
}

/// Whether a request of HTTP/1.1 says once, and readably, whom it is for (RFC 9112, section 3.2).
pub(super) fn has_one_host(parts: &Parts) -> bool {
    if parts.version != Version::HTTP_11 {
        return true;
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    // It may be empty, when there is no host to name.
    host.is_empty() || Authority::try_from(host.as_bytes()).is_ok()
}

#[derive(Debug, Default, Eq, PartialEq)]
struct Forwarded<'a> {
    scheme: Option<&'static str>,
    host: Option<&'a str>,
}

/// What the proxies in front say. `Forwarded` silences the older headers.
fn forwarded(headers: &HeaderMap) -> Forwarded<'_> {
    if let Some(forwarded) = text(headers, &FORWARDED) {
        return rfc7239(forwarded);
    }
    Forwarded {
        scheme: text(headers, &X_FORWARDED_PROTO).and_then(first).and_then(scheme),
        host: text(headers, &X_FORWARDED_HOST).and_then(first),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The first member of a list: each proxy adds one.
fn first(list: &str) -> Option<&str> {
    list.split(',').next().map(str::trim).filter(|member| !member.is_empty())
}

/// The first element of a `Forwarded` header: what the outermost proxy saw.
fn rfc7239(text: &str) -> Forwarded<'_> {
    let mut found = Forwarded::default();
    for pair in text.split(',').next().unwrap_or_default().split(';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "proto" => found.scheme = scheme(value),
            "host" if !value.is_empty() => found.host = Some(value),
            _ => {}
        }
    }
    found
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn external(host: Option<(&str, &str)>, relative: bool) -> External {
        let host = host.map(|(scheme, authority)| ExternalHost {
            scheme: scheme.to_owned(),
            authority: authority.to_owned(),
        });
        External { prefix: "/".to_owned(), host, relative }
    }

    fn location(external: &External, headers: &[(&str, &str)]) -> String {
        let mut request = Request::builder().uri("/v2/a/blobs/uploads/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        external.location(&parts, "x").to_str().unwrap().to_owned()
    }

    #[test]
    fn the_nearest_to_the_client_decides() {
        let host = ("host", "127.0.0.1:5000");
        let rows: &[(&[(&str, &str)], &str)] = &[
            (&[host], "http://127.0.0.1:5000/v2/x"),
            (&[host, ("x-forwarded-proto", "https")], "https://127.0.0.1:5000/v2/x"),
            (
                &[
                    host,
                    ("x-forwarded-proto", "https, http"),
                    ("x-forwarded-host", "r.example:8443, b"),
                ],
                "https://r.example:8443/v2/x",
            ),
            (
                &[host, ("forwarded", "for=1.2.3.4;proto=https;host=\"r.example\", for=b;host=b")],
                "https://r.example/v2/x",
            ),
            (
                &[host, ("forwarded", "proto=https"), ("x-forwarded-host", "older.example")],
                "https://127.0.0.1:5000/v2/x",
            ),
            (&[host, ("x-forwarded-proto", "javascript")], "http://127.0.0.1:5000/v2/x"),
            (&[host, ("x-forwarded-host", "a b")], "/v2/x"),
            (&[host, ("x-forwarded-host", "user@evil.example")], "/v2/x"),
            (&[], "/v2/x"),
        ];
        for (headers, wanted) in rows {
            assert_eq!(location(&external(None, false), headers), *wanted, "{headers:?}");
        }
    }

    #[test]
    fn settings_beat_headers() {
        let headers = [("host", "a"), ("x-forwarded-host", "b"), ("x-forwarded-proto", "https")];
        let fixed = external(Some(("https", "registry.example.com")), false);
        assert_eq!(location(&fixed, &headers), "https://registry.example.com/v2/x");
        assert_eq!(location(&external(None, true), &headers), "/v2/x");
    }
}
