//! A cache in front of another registry: what is not here is fetched from there, and kept.
//!
//! Names are taken as they are: nothing is put before them, as Distribution does it. A tag is asked for there each
//! time, and what was kept stands in while that fails. What has a digest never changes, and is fetched once. Nothing
//! is kept before its digest is right.

mod arriving;
mod challenge;
mod error;
mod flight;
mod login;
mod manifest;
mod passing;
mod read;
mod schedule;
mod upstream;

use std::{convert::Infallible, sync::Arc};

use oci::{Digest, RepositoryName, Tag};
use tokio::sync::Mutex;

pub(crate) use arriving::{Arriving, ArrivingChunks};
pub(crate) use error::Error;
pub(crate) use manifest::{Kept, Manifest};
pub(crate) use passing::Passing;
pub(crate) use upstream::Described;

use crate::{
    config,
    content::{self, Content, StorageKind},
    metrics::{self, Pulls},
    outbound::Fault,
};
use flight::Flights;
use schedule::{Kind, Schedule};
use upstream::Upstream;

/// Manifests that are fetched at once, each once; more of them wait for one another.
const MANIFESTS: usize = 256;

/// A cache in front of another registry.
#[derive(Debug)]
pub(crate) struct Proxy {
    content: Content,
    upstream: Arc<Upstream>,
    flights: Arc<Flights>,
    manifests: Box<[Mutex<()>]>,
    schedule: Arc<Schedule>,
    pulls: Arc<Pulls>,
}

/// What a request wants of something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wanted {
    Content,
    /// Only what it is.
    Description,
}

/// A blob that was not here.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is fetched, and kept.
    Arriving(Arriving),
    /// It is fetched for one client, and its length is known.
    Passing(u64, Passing),
    /// It is there.
    Described(Described),
}

impl Proxy {
    pub(crate) fn open(config: &config::Proxy, content: Content) -> Result<Self, Fault> {
        let schedule = Arc::new(Schedule::new(config.ttl));
        let pulls = Arc::<Pulls>::default();
        let flights = (Arc::clone(&schedule), Arc::clone(&pulls));
        Ok(Self {
            content,
            upstream: Arc::new(Upstream::new(config, Arc::clone(&pulls))?),
            flights: Arc::new(Flights::new(config.cache_write_timeout, flights)),
            manifests: (0..MANIFESTS).map(|_| Mutex::default()).collect(),
            schedule,
            pulls,
        })
    }

    /// Takes away what was fetched long ago, until dropped.
    pub(crate) async fn run(&self) -> Infallible {
        self.schedule.run(&self.content).await
    }

    /// Ends what is being fetched, and writes down what was.
    pub(crate) async fn stop(&self) {
        self.flights.stop();
        self.schedule.write(&self.content).await;
    }

    /// What was asked for, and where it was had from.
    pub(crate) fn pulls(&self) -> &Pulls {
        &self.pulls
    }

    /// A blob that is not here.
    pub(crate) async fn blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        wanted: Wanted,
    ) -> Result<Found, Error> {
        if wanted == Wanted::Description {
            return Ok(Found::Described(self.upstream.describe_blob(name, digest).await?));
        }
        self.pulls.missed(metrics::Kept::Blob);
        let Some(writing) = self.content.begin_write() else {
            return self.pass(name, digest).await;
        };
        match self.flights.join(&self.upstream, writing, (name, digest)).await {
            Ok(arriving) => Ok(Found::Arriving(arriving)),
            Err(error) if error.is_storage_failure() => {
                tracing::error!(%error, "nothing can be kept: blobs only pass through");
                self.pass(name, digest).await
            }
            Err(error) => Err(error),
        }
    }

    async fn pass(&self, name: &RepositoryName, digest: &Digest) -> Result<Found, Error> {
        let (size, body) = self.upstream.blob(name, digest).await?;
        Ok(Found::Passing(size, Passing::new(*digest, size, (body, Arc::clone(&self.pulls)))))
    }

    /// The tags there; those here, and true, when they cannot be had.
    pub(crate) async fn tags(&self, name: &RepositoryName) -> Result<(Arc<[Tag]>, bool), Error> {
        match self.upstream.tags(name).await {
            Ok(tags) => Ok((tags.into(), false)),
            Err(Error::Missing) => Err(content::Error::NameUnknown(name.clone()).into()),
            Err(error) => match self.content.tags(name).await {
                Ok(tags) => {
                    tracing::warn!(repository = %name, %error, "tags are listed as they were");
                    Ok((tags, true))
                }
                Err(content::Error::NameUnknown(_)) => Err(error),
                Err(error) => Err(error.into()),
            },
        }
    }
}

impl Error {
    /// Whether this side could not keep something; a blob that is not there is no such thing.
    fn is_storage_failure(&self) -> bool {
        match self {
            Self::Shared(error) => error.is_storage_failure(),
            Self::Content(content::Error::Storage(error)) => matches!(
                error.kind(),
                StorageKind::NoSpace | StorageKind::Denied | StorageKind::Other
            ),
            _ => false,
        }
    }
}
