//! `[registry.storage]`: the driver, and what may be done to the bytes.

use super::{
    Key,
    Kind::{Choice, Count, Duration, Flag, Path, Secret, Size, Table, Text, Url},
    Section,
};

pub(super) const SECTIONS: &[Section] = &[
    Section::new("registry.storage", Some("registry['storage']"), "where the bytes live", &[]),
    Section::new(
        "registry.storage.filesystem",
        Some("registry['storage']['filesystem']"),
        "a folder",
        &[
            Key::new(
                "rootdirectory",
                Path,
                Some("\"var/opt/regctl/storage\""),
                "the folder that holds docker/registry/v2",
            ),
            Key::new("maxthreads", Count(25), Some("100"), "file operations at once"),
        ],
    ),
    Section::new(
        "registry.storage.inmemory",
        Some("registry['storage']['inmemory']"),
        "gone with the process",
        &[],
    ),
    Section::new(
        "registry.storage.delete",
        Some("registry['storage']['delete']"),
        "deletes by clients",
        &[Key::new(
            "enabled",
            Flag,
            None,
            "whether clients may delete; storage_delete_enabled when unset",
        )
        .live()],
    ),
    Section::new(
        "registry.storage.maintenance",
        Some("registry['storage']['maintenance']"),
        "upkeep",
        &[],
    ),
    Section::new(
        "registry.storage.maintenance.readonly",
        Some("registry['storage']['maintenance']['readonly']"),
        "pulls only",
        &[Key::new("enabled", Flag, Some("false"), "refuse every write").live()],
    ),
    Section::new(
        "registry.storage.maintenance.uploadpurging",
        Some("registry['storage']['maintenance']['uploadpurging']"),
        "abandoned uploads",
        &[
            Key::new("enabled", Flag, Some("true"), "remove abandoned uploads"),
            Key::new("age", Duration, Some("\"7d\""), "how old an abandoned upload is"),
            Key::new("interval", Duration, Some("\"24h\""), "how often they are looked for"),
            Key::new("dryrun", Flag, Some("false"), "only say what would be removed"),
        ],
    ),
    Section::new(
        "registry.storage.redirect",
        Some("registry['storage']['redirect']"),
        "redirects to the store",
        &[
            Key::new(
                "disable",
                Flag,
                None,
                "blobs come through the registry, also where [registry.middleware] would send clients elsewhere",
            ),
            Key::later("expirydelay", Duration, "how long a redirect is valid"),
        ],
    ),
    Section::new(
        "registry.storage.cache",
        Some("registry['storage']['cache']"),
        "the descriptor cache",
        &[
            Key::new(
                "blobdescriptor",
                Choice(&["inmemory", "redis"]),
                None,
                "redis: deletes are told to [registry.redis], for registries that share it; inmemory: nothing to do",
            ),
            Key::new("blobdescriptorsize", Count(0), None, "what Distribution 3 keeps in memory"),
        ],
    ),
    Section::new(
        "registry.storage.tag",
        Some("registry['storage']['tag']"),
        "tag lookups",
        &[Key::later("concurrencylimit", Count(0), "links read at once")],
    )
    .not_yet(),
    Section::new("registry.storage.s3", Some("registry['storage']['s3']"), "an S3 bucket", S3)
        .not_yet(),
    Section::new(
        "registry.storage.s3aws",
        Some("registry['storage']['s3aws']"),
        "the old name of s3",
        S3,
    )
    .not_yet(),
    Section::new(
        "registry.storage.azure",
        Some("registry['storage']['azure']"),
        "an Azure container",
        &[
            Key::later("accountname", Text, "the account"),
            Key::later("accountkey", Secret, "its key"),
            Key::later("container", Text, "the container"),
            Key::later("realm", Text, "the cloud"),
            Key::later("connectionstring", Secret, "account and key in one"),
            Key::later("serviceurl", Url, "the endpoint"),
            Key::later("rootdirectory", Text, "a prefix of all keys"),
            Key::later("credentials", Table, "how to sign in"),
            Key::later("max_retries", Count(0), "retries"),
            Key::later("retry_delay", Duration, "the pause between them"),
            Key::later("skipverify", Flag, "accept any certificate"),
            Key::later("legacyrootprefix", Flag, "keys start with //"),
            Key::later("trimlegacyrootprefix", Flag, "keys do not start with //"),
        ],
    )
    .not_yet(),
    Section::new(
        "registry.storage.gcs",
        Some("registry['storage']['gcs']"),
        "a Google bucket",
        &[
            Key::later("bucket", Text, "the bucket"),
            Key::later("keyfile", Path, "the service account's key"),
            Key::later("credentials", Table, "the key itself"),
            Key::later("rootdirectory", Text, "a prefix of all keys"),
            Key::later("chunksize", Size, "bytes sent at once"),
            Key::later("maxconcurrency", Count(25), "requests at once"),
        ],
    )
    .not_yet(),
    Section::new(
        "registry.storage.swift",
        Some("registry['storage']['swift']"),
        "an OpenStack container",
        &[
            Key::later("username", Text, "the user"),
            Key::later("password", Secret, "the user's password"),
            Key::later("authurl", Url, "where to sign in"),
            Key::later("container", Text, "the container"),
            Key::later("tenant", Text, "the project"),
            Key::later("tenantid", Text, "the project's id"),
            Key::later("domain", Text, "the domain"),
            Key::later("domainid", Text, "the domain's id"),
            Key::later("tenantdomain", Text, "the project's domain"),
            Key::later("tenantdomainid", Text, "its id"),
            Key::later("trustid", Text, "a trust"),
            Key::later("region", Text, "the region"),
            Key::later("authversion", Count(1), "the version of the identity API"),
            Key::later("prefix", Text, "a prefix of all keys"),
            Key::later("endpointtype", Text, "public, internal or admin"),
            Key::later("insecureskipverify", Flag, "accept any certificate"),
            Key::later("chunksize", Size, "bytes of a segment"),
            Key::later("secretkey", Secret, "the key of temporary URLs"),
            Key::later("accesskey", Secret, "the access key"),
        ],
    )
    .not_yet(),
    Section::new(
        "registry.storage.oss",
        Some("registry['storage']['oss']"),
        "an Alibaba bucket",
        &[
            Key::later("accesskeyid", Text, "the access key"),
            Key::later("accesskeysecret", Secret, "its secret"),
            Key::later("region", Text, "the region"),
            Key::later("bucket", Text, "the bucket"),
            Key::later("endpoint", Text, "the endpoint"),
            Key::later("internal", Flag, "the internal endpoint"),
            Key::later("encrypt", Flag, "encrypted by the store"),
            Key::later("encryptionkeyid", Text, "with this key"),
            Key::later("secure", Flag, "HTTPS"),
            Key::later("chunksize", Size, "bytes of a part"),
            Key::later("rootdirectory", Text, "a prefix of all keys"),
        ],
    )
    .not_yet(),
];

const S3: &[Key] = &[
    Key::later("accesskey", Text, "the access key"),
    Key::later("secretkey", Secret, "its secret"),
    Key::later("secretkey_file", Path, "a file that holds the secret"),
    Key::later("region", Text, "the region"),
    Key::later("regionendpoint", Url, "the endpoint of a store other than AWS"),
    Key::later("bucket", Text, "the bucket"),
    Key::later("encrypt", Flag, "encrypted by the store"),
    Key::later("keyid", Text, "with this key"),
    Key::later("secure", Flag, "HTTPS"),
    Key::later("skipverify", Flag, "accept any certificate"),
    Key::later("v4auth", Flag, "signatures of version 4"),
    Key::later("chunksize", Size, "bytes of a part"),
    Key::later("multipartcopychunksize", Size, "bytes of a copied part"),
    Key::later("multipartcopymaxconcurrency", Count(1), "parts copied at once"),
    Key::later("multipartcopythresholdsize", Size, "copied in parts when larger"),
    Key::later("rootdirectory", Text, "a prefix of all keys"),
    Key::later("storageclass", Text, "the storage class"),
    Key::later("useragent", Text, "the user agent"),
    Key::later("objectacl", Text, "the access list of objects"),
    Key::later("objectownership", Flag, "no access lists"),
    Key::later("forcepathstyle", Flag, "the bucket in the path"),
    Key::later("pathstyle", Flag, "the bucket in the path"),
    Key::later("usedualstack", Flag, "IPv6 endpoints"),
    Key::later("accelerate", Flag, "accelerated endpoints"),
    Key::later("usefipsendpoint", Flag, "FIPS endpoints"),
    Key::later("loglevel", Text, "what requests are logged"),
    Key::later("redirectendpoint", Url, "the endpoint of redirects"),
    Key::later("parallelwalk", Flag, "parallel lists"),
    Key::later("maxrequestspersecond", Count(0), "requests a second"),
    Key::later("maxretries", Count(0), "retries"),
];
