//! The bucket that the tests share, on a server of their own. Each has a folder in it.

use storage::{S3Config, S3Credentials, UploadId};

#[path = "../../../../tests/it/support/ports.rs"]
mod ports;
#[path = "../../../../tests/it/support/seaweed.rs"]
pub(crate) mod seaweed;

use seaweed::Seaweed;

/// How the driver gets at a folder of the bucket that is this test's own; its name begins with `kind`.
pub(crate) fn options(kind: &str) -> S3Config {
    S3Config {
        credentials: Some(S3Credentials {
            access_key: Seaweed::ACCESS_KEY.to_owned(),
            secret_key: Seaweed::SECRET_KEY.to_owned(),
            session_token: None,
        }),
        endpoint: Some(Seaweed::shared().endpoint("http")),
        root_directory: format!("{kind}/{}", UploadId::random()),
        ..S3Config::new("us-east-1", Seaweed::BUCKET)
    }
}
