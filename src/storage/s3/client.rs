//! The SDK's client, made of the options. Nothing is asked before the first request.

use std::sync::{Arc, Mutex};

use aws_config::{
    default_provider::credentials::DefaultCredentialsChain, provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, Result as Provided, future},
};
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        SharedCredentialsProvider, StalledStreamProtectionConfig,
        retry::{ClassifyRetry, RetryAction, RetryConfig, RetryPartition, TokenBucket},
        timeout::TimeoutConfig,
    },
    types::{ObjectCannedAcl, ServerSideEncryption, StorageClass},
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio::sync::OnceCell;

use super::{
    attributes::Attributes,
    gate::Gate,
    pace::Pace,
    store::{Copying, Store},
    wire::Wire,
};
use crate::{Error, Kind, S3Config, S3Credentials, S3Encryption};

/// How long the first of several tries is waited for at most; twice as long each time, and less by chance.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(10);

/// How long a request beside writes may take.
const ANSWERED: std::time::Duration = std::time::Duration::from_secs(10);

/// What one request can copy.
const COPIED_WHOLE: u64 = 5 << 30;

/// Makes a store of its options.
pub(super) fn open(options: &S3Config) -> Result<Store, Error> {
    let wire = wire(options)?;
    let region = Region::new(options.region.clone());
    let credentials = match &options.credentials {
        Some(keys) => SharedCredentialsProvider::new(given(keys)),
        None => SharedCredentialsProvider::new(Chain::new(wire.clone(), region.clone())),
    };
    let retries = RetryConfig::standard()
        .with_max_attempts(options.max_retries.saturating_add(1))
        .with_initial_backoff(PAUSE)
        .with_max_backoff(LONGEST_PAUSE);
    let builder = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(wire)
        .region(region)
        .credentials_provider(credentials)
        .retry_config(retries)
        .retry_classifier(TooOften)
        // A store in need slows down all requests, and each has its own number of tries.
        .retry_partition(
            RetryPartition::custom("s3").token_bucket(TokenBucket::unlimited()).build(),
        )
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .use_dual_stack(options.dual_stack)
        .use_fips(options.fips)
        .accelerate(options.accelerate)
        .force_path_style(options.path_style.unwrap_or(options.endpoint.is_some()));
    let builder = match endpoint(options) {
        Some(url) => builder.endpoint_url(url),
        None => builder,
    };
    Ok(Store {
        client: Client::from_conf(builder.build()),
        bucket: options.bucket.clone(),
        prefix: prefix(&options.root_directory),
        attributes: attributes(options),
        part_bytes: usize::try_from(options.chunk_size).unwrap_or(usize::MAX),
        copying: Copying {
            whole: options.copy_threshold.unwrap_or(COPIED_WHOLE).min(COPIED_WHOLE),
            part: options.copy_chunk_size,
            at_once: options.copy_concurrency.max(1),
        },
        keeps_folders: options.endpoint.is_some(),
        sessions: Arc::default(),
        room: Arc::default(),
        gate: Gate::default(),
        own: Arc::default(),
        unanswered: Mutex::default(),
    })
}

/// The same store for deletes beside writes: each request is made once, so that its answer says all there is to say of it,
/// and others are not kept waiting for long. It has a gate of its own.
pub(super) fn beside(store: &Store) -> Store {
    let builder = store.client.config().to_builder();
    let builder = builder
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(ANSWERED).build());
    Store {
        client: Client::from_conf(builder.build()),
        bucket: store.bucket.clone(),
        prefix: store.prefix.clone(),
        attributes: store.attributes.clone(),
        part_bytes: store.part_bytes,
        copying: store.copying,
        keeps_folders: store.keeps_folders,
        sessions: Arc::clone(&store.sessions),
        room: Arc::clone(&store.room),
        gate: store.gate.beside(),
        own: Arc::clone(&store.own),
        unanswered: Mutex::default(),
    }
}

fn wire(options: &S3Config) -> Result<Wire, Error> {
    let agent = options.user_agent.clone();
    let agent = agent.unwrap_or_else(|| concat!("regctl/", env!("CARGO_PKG_VERSION")).to_owned());
    let builder = reqwest::Client::builder().user_agent(agent);
    let builder = if options.skip_verify {
        builder.tls_danger_accept_invalid_certs(true)
    } else {
        builder.tls_backend_preconfigured(trusting_the_system())
    };
    Wire::new(builder, Pace::new(options.max_requests_per_second))
        .map_err(|error| Error::answered(Kind::Other, "ask", &options.bucket, error))
}

/// TLS with the authorities that the system trusts. Where it trusts none, every certificate is refused.
fn trusting_the_system() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The URL of a store that is not Amazon's, or of Amazon's without TLS.
fn endpoint(options: &S3Config) -> Option<String> {
    let scheme = if options.secure { "https" } else { "http" };
    match &options.endpoint {
        Some(endpoint) if endpoint.contains("://") => Some(endpoint.clone()),
        Some(endpoint) => Some(format!("{scheme}://{endpoint}")),
        None if !options.secure => Some(format!("http://s3.{}.amazonaws.com", options.region)),
        None => None,
    }
}

/// As Distribution has it: no slash before the first name.
fn prefix(root: &str) -> String {
    match root.trim_matches('/') {
        "" => String::new(),
        root => format!("{root}/"),
    }
}

fn attributes(options: &S3Config) -> Attributes {
    let (encryption, key_id) = match &options.encryption {
        S3Encryption::Default => (None, None),
        S3Encryption::Aes256 => (Some(ServerSideEncryption::Aes256), None),
        S3Encryption::Kms(key) => (Some(ServerSideEncryption::AwsKms), key.clone()),
    };
    Attributes {
        acl: options.object_acl.as_deref().map(ObjectCannedAcl::from),
        class: options.storage_class.as_deref().map(StorageClass::from),
        encryption,
        key_id,
    }
}

fn given(keys: &S3Credentials) -> Credentials {
    let S3Credentials { access_key, secret_key, session_token } = keys;
    Credentials::new(access_key, secret_key, session_token.clone(), None, "configuration")
}

/// Where credentials are looked for that the configuration does not name: the environment, a profile, a web identity,
/// the role of a container or a machine.
#[derive(Debug)]
struct Chain {
    config: ProviderConfig,
    region: Region,
    chain: OnceCell<DefaultCredentialsChain>,
}

impl Chain {
    fn new(wire: Wire, region: Region) -> Self {
        let config = ProviderConfig::without_region()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_region(Some(region.clone()))
            .with_http_client(wire);
        Self { config, region, chain: OnceCell::new() }
    }

    async fn credentials(&self) -> Provided {
        let chain = self.chain.get_or_init(|| {
            let builder = DefaultCredentialsChain::builder().configure(self.config.clone());
            builder.region(self.region.clone()).build()
        });
        chain.await.provide_credentials().await
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// Has a request tried again that was refused because there are too many, by whatever code.
#[derive(Debug)]
struct TooOften;

impl ClassifyRetry for TooOften {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|response| response.status().as_u16()) {
            Some(429) => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "status 429"
    }
}
