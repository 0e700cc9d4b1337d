//! `Forwarded` and its elders, `Host`, `Accept`, `If-Match` and the query of a page: whatever they say, a location is the
//! path of what was asked for, on a host that is one.

#![no_main]

use std::sync::LazyLock;

use http::{HeaderName, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use registry::{Config, parse};

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let parsed = Config::parse("{version: 0.1, storage: inmemory, http: {addr: ':0'}}", &[]);
    parsed.expect("the configuration is right").config
});

const NAMES: [&str; 8] = [
    "host",
    "forwarded",
    "x-forwarded-proto",
    "x-forwarded-host",
    "accept",
    "if-match",
    "if-none-match",
    "x-forwarded-for",
];

fuzz_target!(|input: (Vec<(u8, &[u8])>, &str, &[u8])| {
    let (headers, query, list) = input;
    let Ok(mut request) = Request::get(format!("/v2/a/tags/list?{query}")).body(()) else { return };
    for (index, value) in headers {
        let name = HeaderName::from_static(NAMES[usize::from(index) % NAMES.len()]);
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        request.headers_mut().append(name, value);
    }
    let (parts, ()) = request.into_parts();
    let location = parse::read_headers(&CONFIG.http, &parts, list);
    let location = location.to_str().expect("a location is visible ASCII");
    let Some((scheme, rest)) = location.split_once("://") else {
        assert_eq!(location, "/v2/x");
        return;
    };
    assert!(scheme == "http" || scheme == "https", "{location}");
    let host = rest.strip_suffix("/v2/x").expect("the path is what was asked for");
    assert!(!host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']), "{location}");
});
