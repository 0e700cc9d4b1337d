//! The driver against servers that answer as these tests say.

use std::sync::Arc;

use super::{client, store::Store};
use crate::{S3Config, S3Credentials};

/// A bucket at an endpoint, of which nothing is asked until it is used.
pub(super) fn store(endpoint: &str) -> Arc<Store> {
    let credentials = S3Credentials {
        access_key: "access".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: None,
    };
    let options = S3Config {
        credentials: Some(credentials),
        endpoint: Some(endpoint.to_owned()),
        ..S3Config::new("us-east-1", "registry")
    };
    Arc::new(client::open(&options).unwrap())
}
