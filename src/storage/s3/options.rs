//! The options of `s3`, under the names of Distribution 2 and 3 and of GitLab's fork.

use std::{fmt, num::NonZeroU32};

/// The options of `s3`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct S3Config {
    /// `accesskey` and `secretkey`, and `sessiontoken` with temporary ones. None: the environment, a profile, a web
    /// identity, or the role of the container or the machine.
    pub credentials: Option<S3Credentials>,
    /// `region`.
    pub region: String,
    /// `regionendpoint`: where a store stands that is not Amazon's.
    pub endpoint: Option<String>,
    /// `forcepathstyle`, `pathstyle`: the bucket is in the path of URLs, not in their host. It is where
    /// `regionendpoint` is set, unless this says otherwise.
    pub path_style: Option<bool>,
    /// `bucket`.
    pub bucket: String,
    /// `rootdirectory`: what the names of all objects begin with.
    pub root_directory: String,
    /// `encrypt` and `keyid`.
    pub encryption: S3Encryption,
    /// `secure`: whether an endpoint without a scheme is asked over HTTPS; it is when unset.
    pub secure: bool,
    /// `skipverify`: whether any certificate will do.
    pub skip_verify: bool,
    /// `chunksize` in bytes; 10 MiB when unset, at least 5 MiB.
    pub chunk_size: u64,
    /// `multipartcopychunksize` in bytes; 32 MiB when unset.
    pub copy_chunk_size: u64,
    /// `multipartcopymaxconcurrency`; 100 when unset.
    pub copy_concurrency: usize,
    /// `multipartcopythresholdsize` in bytes. None: what one request can copy, 5 GiB.
    pub copy_threshold: Option<u64>,
    /// `storageclass`. None: the bucket's own.
    pub storage_class: Option<String>,
    /// `objectacl`. None where `objectownership` says that the bucket's owner owns everything.
    pub object_acl: Option<String>,
    /// `useragent`.
    pub user_agent: Option<String>,
    /// `usedualstack`.
    pub dual_stack: bool,
    /// `usefipsendpoint`.
    pub fips: bool,
    /// `accelerate`.
    pub accelerate: bool,
    /// `maxrequestspersecond`.
    pub max_requests_per_second: Option<NonZeroU32>,
    /// `maxretries`; 5 when unset.
    pub max_retries: u32,
}

impl S3Config {
    /// A bucket with everything else as it is when unset.
    #[must_use]
    pub fn new(region: impl Into<String>, bucket: impl Into<String>) -> Self {
        Self {
            credentials: None,
            region: region.into(),
            endpoint: None,
            path_style: None,
            bucket: bucket.into(),
            root_directory: String::new(),
            encryption: S3Encryption::Default,
            secure: true,
            skip_verify: false,
            chunk_size: 10 << 20,
            copy_chunk_size: 32 << 20,
            copy_concurrency: 100,
            copy_threshold: None,
            storage_class: None,
            object_acl: None,
            user_agent: None,
            dual_stack: false,
            fips: false,
            accelerate: false,
            max_requests_per_second: None,
            max_retries: 5,
        }
    }
}

/// Keys of an account.
#[derive(Clone, Eq, PartialEq)]
pub struct S3Credentials {
    /// `accesskey`.
    pub access_key: String,
    /// `secretkey`.
    pub secret_key: String,
    /// `sessiontoken`.
    pub session_token: Option<String>,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// How the store encrypts what it keeps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum S3Encryption {
    /// As the bucket says.
    Default,
    /// With a key of the store's.
    Aes256,
    /// With a key of the account's; its default one if none is named.
    Kms(Option<String>),
}
