//! What surrounds the registry: its debug server, its health checks, and where it sends clients for blobs.

use super::{
    Key,
    Kind::{
        Address, Choice, Count, Duration, Endpoint, Flag, Headers, Label, List, Path, Prefix,
        Record, Status, Tables, WebUrl,
    },
    Part, Section,
    registry::CLIENTS,
};

const INTERVAL: Part = Part::new("interval", Duration);
const THRESHOLD: Part = Part::new("threshold", Count(1));
const TIMEOUT: Part = Part::new("timeout", Duration);

const FILE: &[Part] = &[Part::required("file", Path), INTERVAL, THRESHOLD];

const HTTP: &[Part] = &[
    Part::required("uri", Endpoint),
    Part::new("headers", Headers),
    Part::new("statuscode", Status),
    TIMEOUT,
    INTERVAL,
    THRESHOLD,
];

const TCP: &[Part] = &[Part::required("addr", Address), TIMEOUT, INTERVAL, THRESHOLD];

const MIDDLEWARE: &[Part] = &[
    Part::required("name", Choice(&["redirect", "cloudfront"])),
    Part::new("disabled", Flag),
    Part::required("options", Record(OPTIONS)),
];

const OPTIONS: &[Part] = &[
    Part::required("baseurl", WebUrl),
    Part::new("privatekey", Path),
    Part::new("keypairid", Label),
    Part::new("duration", Duration),
    Part::new("ipfilteredby", Choice(&["none"])),
];

const NO_CODE: &str = "Distribution's own code for others to build upon has none of these";

pub(super) const SECTIONS: &[Section] = &[
    Section::new(
        "registry.http.debug",
        None,
        "a second listener, for health, numbers and metrics",
        &[Key::new("addr", Address, None, "its address; debug_addr when unset")],
    ),
    Section::new(
        "registry.http.debug.prometheus",
        None,
        "metrics there",
        &[
            Key::new("enabled", Flag, Some("true"), "serve them"),
            Key::new("path", Prefix, Some("\"/metrics\""), "where they are"),
        ],
    ),
    Section::new(
        "registry.http.debug.tls",
        None,
        "TLS there; Distribution 2.8 knows none",
        &[
            Key::new("certificate", Path, None, "the certificate, with its chain"),
            Key::new("key", Path, None, "its private key"),
            Key::new("clientcas", List, None, "files of the authorities of clients"),
            Key::new(
                "clientauth",
                Choice(CLIENTS),
                None,
                "what clients show; unset: a certificate where there are clientcas",
            ),
            Key::new(
                "minimumtls",
                Choice(&["tls1.2", "tls1.3"]),
                None,
                "the oldest version of TLS; unset: tls1.2",
            ),
            Key::new("ciphersuites", List, None, "the cipher suites, by Go's names"),
        ],
    ),
    Section::new(
        "registry.health",
        None,
        "checks: 503 while one fails",
        &[
            Key::new("file", Tables(FILE), None, "files that must not be there").live(),
            Key::new("http", Tables(HTTP), None, "URLs that must answer").live(),
            Key::new("tcp", Tables(TCP), None, "addresses that must accept connections").live(),
        ],
    ),
    Section::new(
        "registry.health.storagedriver",
        None,
        "a probe of the storage",
        &[
            Key::new("enabled", Flag, None, "probe it; health_storagedriver_enabled when unset")
                .live(),
            Key::new("interval", Duration, Some("\"10s\""), "how often").live(),
            Key::new("threshold", Count(1), Some("3"), "failures in a row that count").live(),
        ],
    ),
    Section::new(
        "registry.middleware",
        Some("registry['middleware']"),
        "where clients are sent for blobs",
        &[
            Key::new(
                "storage",
                Tables(MIDDLEWARE),
                None,
                "redirect, or cloudfront with signed URLs: one that is not disabled",
            ),
            Key::refused("registry", "code before the registry", NO_CODE),
            Key::refused("repository", "code before a repository", NO_CODE),
        ],
    ),
];
