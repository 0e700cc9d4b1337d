//! The top of the file, `[registry]` and the registry's own tables except storage.

use super::{
    Key,
    Kind::{
        Account, Address, Choice, Choices, Count, Duration, Environment, Fields, Flag, Headers, Id,
        Label, List, Notifications, Password, Path, Pem, Prefix, Secret, SecretPem, Size, Table,
        Tables, Text, Url, WebUrl,
    },
    Part, Section,
    own::{IMMUTABLE, POLICY, QUOTA},
};

pub(in crate::config) const NO_DATABASE: &str = "there is no metadata database here; collection works on the storage itself: \
    remove it";

const USE_CACHE: &str =
    "write addr and password here, and blobdescriptor = \"redis\" in [registry.storage.cache]";

const ENABLED_IS_OLD: &str = "the registry does not look at it: use disabled = true or remove it";
/// What clients must show, as Distribution 3 names it.
pub(super) const CLIENTS: &[&str] = &[
    "request-client-cert",
    "require-any-client-cert",
    "verify-client-cert-if-given",
    "require-and-verify-client-cert",
];

/// A platform of an index.
const PLATFORM: &[Part] = &[Part::required("architecture", Label), Part::required("os", Label)];

pub(super) const SECTIONS: &[Section] = &[
    Section::new(
        "",
        Some(""),
        "what users see",
        &[
            Key::new("registry_external_url", Url, None, "the URL that users type"),
            Key::new("external_url", WebUrl, None, "the GitLab that issues tokens"),
            Key::new(
                "cleanup_policy",
                Tables(POLICY),
                None,
                "which tags go, each as [[cleanup_policy]]; of several for a repository the first counts, and each with `all`",
            )
            .live(),
            Key::new(
                "immutable_tag",
                Tables(IMMUTABLE),
                None,
                "tags that are set once, each as [[immutable_tag]]: nobody moves or deletes them, and no policy either",
            )
            .live(),
            Key::new(
                "quota",
                Tables(QUOTA),
                None,
                "how much repositories may hold together, each as [[quota]]: blobs and manifests that they have links to, each once; of several for a repository all count",
            )
            .live(),
        ],
    ),
    Section::new("registry", Some("registry"), "the registry", REGISTRY),
    Section::new(
        "registry.http",
        None,
        "the registry's HTTP server",
        &[
            Key::new("relativeurls", Flag, Some("false"), "`Location` holds a path only"),
            Key::new("host", Url, None, "scheme and host of the URLs in answers"),
            Key::new("prefix", Prefix, None, "the path under which the registry is served"),
            Key::new(
                "headers",
                Headers,
                Some("{ X-Content-Type-Options = [\"nosniff\"] }"),
                "sent with every answer",
            ),
            Key::later("net", Text, "tcp or unix"),
        ],
    ),
    Section::new(
        "registry.http.tls",
        None,
        "TLS ended by the registry itself",
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
            Key::later("letsencrypt", Table, "certificates from Let's Encrypt"),
        ],
    ),
    Section::new(
        "registry.http.http2",
        None,
        "HTTP/2",
        &[Key::new("disabled", Flag, Some("false"), "no HTTP/2 over TLS")],
    ),
    Section::new(
        "registry.http.h2c",
        None,
        "HTTP/2 without TLS",
        &[Key::new("enabled", Flag, Some("false"), "HTTP/2 without TLS, by prior knowledge")],
    ),
    Section::new(
        "registry.log",
        None,
        "the registry's log",
        &[
            Key::new(
                "fields",
                Fields,
                Some("{ service = \"registry\", environment = \"production\" }"),
                "fields of every line; `NAME = false` removes a default one",
            ),
            Key::later("hooks", Table, "mail on errors"),
            Key::new("reportcaller", Flag, Some("false"), "each line names its place in the source"),
        ],
    ),
    Section::new(
        "registry.log.accesslog",
        None,
        "the access log",
        &[
            Key::new("disabled", Flag, Some("false"), "no access log").live(),
            Key::new(
                "formatter",
                Choice(&["text", "json"]),
                Some("\"text\""),
                "text, which is Apache's combined format, or json",
            )
            .live(),
        ],
    ),
    Section::new(
        "registry.proxy",
        None,
        "pull-through proxy",
        &[
            Key::new("remoteurl", WebUrl, None, "the registry behind; unset: this is no proxy"),
            Key::new("username", Label, None, "who to be there"),
            Key::new("password", Password, None, "the password there"),
            Key::new("password_file", Path, None, "a file that holds password"),
            Key::new(
                "ttl",
                Duration,
                Some("\"7d\""),
                "how long what was fetched is kept; \"0s\": for ever",
            ),
            Key::new(
                "cachewritetimeout",
                Duration,
                Some("\"5m\""),
                "how long a blob is fetched on when nobody waits for it",
            ),
            Key::refused(
                "exec",
                "a program for credentials",
                "the registry runs no programs: write username and password_file",
            ),
        ],
    ),
    Section::new(
        "registry.events",
        None,
        "what notifications hold, and how they wait",
        &[
            Key::new("includereferences", Flag, Some("false"), "list what a manifest refers to")
                .live(),
            Key::new(
                "format",
                Choice(&["v1", "v2"]),
                Some("\"v1\""),
                "the version in the media type; GitLab takes v1",
            )
            .live(),
            Key::new("maxage", Duration, Some("\"1d\""), "how long an event is tried for").live(),
            Key::new("maxbytes", Size, Some("\"64MiB\""), "the most that waits for one endpoint"),
            Key::new(
                "maxevents",
                Count(1),
                Some("100000"),
                "the most events that wait for one endpoint",
            ),
        ],
    ),
    Section::new(
        "registry.catalog",
        None,
        "the list of repositories",
        &[Key::new("maxentries", Count(1), None, "the largest page; unset: 1000").live()],
    ),
    Section::new(
        "registry.tags",
        None,
        "lists of tags",
        &[Key::new("maxtags", Count(1), None, "the largest page; unset: 1000").live()],
    ),
    Section::new(
        "registry.validation",
        None,
        "checks of manifests",
        &[
            Key::refused("enabled", "whether manifests are checked", ENABLED_IS_OLD),
            Key::new(
                "disabled",
                Flag,
                Some("false"),
                "layers may have any URL, and indexes need not be complete",
            )
            .live(),
        ],
    ),
    Section::new(
        "registry.validation.manifests",
        None,
        "limits of manifests",
        &[
            Key::new(
                "referencelimit",
                Count(0),
                None,
                "what one manifest may refer to; unset: 4096",
            )
            .live(),
            Key::new(
                "payloadsizelimit",
                Size,
                None,
                "the bytes of one manifest; unset, and at most: 4 MiB",
            )
            .live(),
        ],
    ),
    Section::new(
        "registry.validation.manifests.urls",
        None,
        "where layers may be fetched from, as regular expressions",
        &[
            Key::new("allow", List, None, "URLs that layers may have").live(),
            Key::new("deny", List, None, "URLs that layers must not have").live(),
        ],
    ),
    Section::new(
        "registry.validation.manifests.indexes",
        None,
        "which manifests of an index must be there",
        &[
            Key::new(
                "platforms",
                Choice(&["all", "none", "list"]),
                None,
                "all, none, or those of platformlist; unset: all",
            )
            .live(),
            Key::new("platformlist", Tables(PLATFORM), None, "the platforms that must be there")
                .live(),
        ],
    ),
    Section::new(
        "registry.policy.repository",
        None,
        "what repositories may hold",
        &[Key::new(
            "classes",
            Choices(&["image", "plugin"]),
            None,
            "classes of content; unset: anything",
        )
        .live()],
    ),
    Section::new("registry.compatibility", None, "old formats", &[]),
    Section::new(
        "registry.compatibility.schema1",
        None,
        "Docker's schema 1 manifests",
        &[
            Key::refused(
                "enabled",
                "Docker's schema 1 manifests",
                "write compatibility_schema1_enabled in [registry]",
            ),
            Key::new(
                "signingkeyfile",
                Path,
                None,
                "the private key that signs them, in PEM or JWK; unset: one for each process",
            ),
        ],
    ),
    Section::new("registry.profiling", None, "profiles for a cloud service", &[])
        .refused("nothing is sent to a cloud service: remove it"),
    Section::new(
        "registry.redis",
        Some("registry['redis']"),
        "the Redis in which registries that share the storage cache descriptors",
        &[
            Key::new("addr", Text, None, "its HOST:PORT; unset: there is none"),
            Key::new("username", Label, None, "who to be there"),
            Key::new("password", Password, None, "the password there"),
            Key::new("password_file", Path, None, "a file that holds password"),
            Key::new("db", Count(0), None, "the number of its database; unset: 0"),
            Key::new("dialtimeout", Duration, None, "for a connection; unset: 5s"),
            Key::new("readtimeout", Duration, None, "for an answer; unset: 3s"),
            Key::new("writetimeout", Duration, None, "for a command; unset: 3s"),
            Key::refused("cache", "the cache of GitLab's database", USE_CACHE),
            Key::refused("loadbalancing", "database load balancing", NO_DATABASE),
        ],
    ),
    Section::new(
        "registry.redis.tls",
        None,
        "TLS to it; Distribution 2.8 knows none",
        &[
            Key::new("enabled", Flag, None, "use it; unset: where there are rootcas"),
            Key::new("rootcas", List, None, "files of its authorities; unset: the system's"),
        ],
    ),
    Section::new(
        "registry.database",
        Some("registry['database']"),
        "the metadata database",
        DATABASE,
    ),
    Section::new("registry.gc", Some("registry['gc']"), "the metadata database's collector", &[])
        .refused(NO_DATABASE),
];

const REGISTRY: &[Key] = &[
    Key::new("enable", Flag, Some("true"), "run the registry"),
    Key::new(
        "registry_http_addr",
        Address,
        Some("\"127.0.0.1:5000\""),
        "where the registry listens",
    ),
    Key::new(
        "log_level",
        Choice(&["error", "warn", "info", "debug"]),
        Some("\"info\""),
        "how much is logged",
    )
    .live(),
    Key::new(
        "log_formatter",
        Choice(&["text", "json", "logstash"]),
        Some("\"text\""),
        "the form of a log line",
    ),
    Key::new("http_secret", Secret, None, "signs the state of uploads; generated when unset"),
    Key::new("http_secret_file", Path, None, "a file that holds http_secret"),
    Key::new("storage_delete_enabled", Flag, Some("true"), "whether clients may delete"),
    Key::new(
        "http_draintimeout",
        Duration,
        Some("\"30s\""),
        "how long a stopping registry finishes requests",
    ),
    Key::new(
        "lease",
        Duration,
        None,
        "how long what was answered for stays out of a collector's reach; unset: 1h",
    ),
    Key::new("env", Environment, Some("{}"), "the registry's environment, `REGISTRY_*` included"),
    Key::new(
        "username",
        Account,
        Some("\"registry\""),
        "the service's account, for root; under another root than / only if it is set",
    ),
    Key::new("group", Account, Some("\"registry\""), "the service's group, likewise"),
    Key::new("uid", Id, None, "the account's id; unset: the system chooses"),
    Key::new("gid", Id, None, "the group's id; unset: the system chooses"),
    Key::new("shell", Path, Some("\"/usr/sbin/nologin\""), "the account's shell"),
    Key::refused(
        "dir",
        "the working folder",
        "it is var/opt/regctl/registry under the root: move the root with --root",
    ),
    Key::new("debug_addr", Address, None, "where health and metrics are served; unset: nowhere"),
    Key::later("log_directory", Path, "the folder of logs"),
    Key::new("log_group", Account, None, "the group that may read logs, besides root"),
    Key::refused(
        "env_directory",
        "the folder of environment files",
        "there are no environment files: write env in [registry]",
    ),
    Key::new(
        "rootcertbundle",
        Path,
        None,
        "certificates that verify tokens; unset: the one of internal_key",
    ),
    Key::new("internal_key", SecretPem, None, "the key that signs tokens; generated when unset"),
    Key::new("internal_key_file", Path, None, "a file that holds internal_key"),
    Key::new("internal_certificate", Pem, None, "its certificate; generated when unset"),
    Key::new("internal_certificate_file", Path, None, "a file that holds internal_certificate"),
    Key::new("token_realm", WebUrl, None, "the GitLab that issues tokens, if not external_url"),
    Key::new("autoredirect", Flag, Some("false"), "the realm follows the request's host"),
    Key::new(
        "health_storagedriver_enabled",
        Flag,
        Some("false"),
        "a probe of the storage: 503 while it fails",
    )
    .live(),
    Key::new("validation_enabled", Flag, Some("false"), "checks of URLs in manifests")
        .only("false"),
    Key::new(
        "compatibility_schema1_enabled",
        Flag,
        Some("false"),
        "Docker's schema 1 manifests: taken, and made for clients that know no others",
    )
    .live(),
    Key::refused("auto_migrate", "migrations of the metadata database", NO_DATABASE),
    Key::later("reporting", Table, "error reports"),
    Key::new(
        "notifications",
        Notifications,
        None,
        "who is told of pushes, pulls and deletes, each as [[registry.notifications]]",
    )
    .live(),
    Key::new("default_notifications_timeout", Duration, Some("\"500ms\""), "for one request")
        .live(),
    Key::new(
        "default_notifications_maxretries",
        Count(0),
        None,
        "further attempts before an event is given up; unset: as many as maxage allows",
    )
    .live(),
    Key::new(
        "default_notifications_threshold",
        Count(0),
        None,
        "the old name of default_notifications_maxretries",
    )
    .live(),
    Key::new(
        "default_notifications_backoff",
        Duration,
        Some("\"1s\""),
        "the first pause between attempts; each further one is twice as long",
    )
    .live(),
    Key::new("default_notifications_headers", Headers, Some("{}"), "sent with every event").live(),
    Key::new("svlogd_size", Size, None, "its log's size, instead of [logging]'s").live(),
    Key::new("svlogd_num", Count(1), None, "its full logs, instead of [logging]'s").live(),
    Key::later("svlogd_timeout", Duration, "a log file's age"),
    Key::later("svlogd_filter", Text, "what compresses log files"),
    Key::later("svlogd_udp", Text, "where log lines are sent"),
    Key::later("svlogd_prefix", Text, "what log lines start with"),
    Key::later("logrotate_frequency", Text, "how often logs are rotated"),
    Key::later("logrotate_maxsize", Size, "rotated when larger"),
    Key::later("logrotate_size", Size, "rotated only when larger"),
    Key::later("logrotate_rotate", Count(0), "how many rotated logs are kept"),
    Key::later("logrotate_compress", Text, "whether rotated logs are compressed"),
    Key::later("logrotate_method", Text, "how logs are rotated"),
    Key::later("logrotate_postrotate", Text, "what runs after a rotation"),
    Key::later("logrotate_dateformat", Text, "names of rotated logs"),
];

const DATABASE: &[Key] = &[
    Key::new("enabled", Flag, Some("false"), "whether there is one; only false is possible"),
    Key::refused("host", "a setting of the metadata database", NO_DATABASE),
    Key::refused("port", "a setting of the metadata database", NO_DATABASE),
    Key::refused("user", "a setting of the metadata database", NO_DATABASE),
    Key::refused("password", "a setting of the metadata database", NO_DATABASE),
    Key::refused("dbname", "a setting of the metadata database", NO_DATABASE),
    Key::refused("sslmode", "a setting of the metadata database", NO_DATABASE),
    Key::refused("sslcert", "a setting of the metadata database", NO_DATABASE),
    Key::refused("sslkey", "a setting of the metadata database", NO_DATABASE),
    Key::refused("sslrootcert", "a setting of the metadata database", NO_DATABASE),
    Key::refused("connecttimeout", "a setting of the metadata database", NO_DATABASE),
    Key::refused("draintimeout", "a setting of the metadata database", NO_DATABASE),
    Key::refused("preparedstatements", "a setting of the metadata database", NO_DATABASE),
    Key::refused("primary", "a setting of the metadata database", NO_DATABASE),
    Key::refused("pool", "a setting of the metadata database", NO_DATABASE),
];
