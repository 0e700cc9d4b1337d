//! A cache in front of another registry: what is not here is fetched from there, and kept.
//!
//! Names are taken as they are: nothing is put before them, as Distribution does it. A tag is asked for there each
//! time, and what was kept stands in while that fails. What has a digest never changes, and is fetched once. Nothing
//! is kept before its digest is right.

mod arriving;
mod blobs;
mod challenge;
mod documents;
mod error;
mod flight;
mod login;
mod manifest;
mod misfits;
mod passing;
mod read;
mod record;
mod referrers;
mod room;
mod schedule;
mod silence;
mod upstream;

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
};

use oci::{Digest, RepositoryName, Tag};
use tokio::sync::Mutex;

pub(crate) use arriving::{Arriving, ArrivingChunks};
pub(crate) use error::Error;
pub(crate) use manifest::{Kept, Manifest};
pub(crate) use passing::Passing;
pub(crate) use referrers::Listed;
pub(crate) use upstream::Described;

use crate::{
    config,
    content::{self, Content},
    log::Causes as _,
    metrics::{self, Pulls},
    outbound::Fault,
};
use flight::Flights;
use schedule::Schedule;
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
    /// It is fetched for one client.
    Passing(Passing),
    /// It is there.
    Described(Described),
}

impl Proxy {
    /// `schema1`: manifests of Docker's schema 1 are taken, too.
    pub(crate) fn open(
        config: &config::Proxy,
        schema1: bool,
        content: Content,
    ) -> Result<Self, Fault> {
        let schedule = Arc::new(Schedule::new(config.ttl));
        let pulls = Arc::<Pulls>::default();
        let flights = (Arc::clone(&schedule), Arc::clone(&pulls));
        Ok(Self {
            content,
            upstream: Arc::new(Upstream::new(config, schema1, Arc::clone(&pulls))?),
            flights: Arc::new(Flights::new(config.cache_write_timeout, flights)),
            manifests: (0..MANIFESTS).map(|_| Mutex::default()).collect(),
            schedule,
            pulls,
        })
    }

    /// Whether manifests of Docker's schema 1 are taken from now on.
    pub(crate) fn take_schema1(&self, is_taken: bool) {
        self.upstream.schema1.store(is_taken, Ordering::Relaxed);
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
        if self.flights.are_hopeless(digest) {
            return self.pass(name, digest).await;
        }
        let Some(writing) = self.content.begin_write() else {
            return self.pass(name, digest).await;
        };
        match self.flights.join(&self.upstream, writing, (name, digest)).await {
            Ok(arriving) => Ok(Found::Arriving(arriving)),
            Err(error) if error.is_storage_failure() => {
                tracing::debug!(repository = %name, %digest, error = error.causes(), "blob only passes through");
                self.pass(name, digest).await
            }
            Err(error) => Err(error),
        }
    }

    async fn pass(&self, name: &RepositoryName, digest: &Digest) -> Result<Found, Error> {
        let opened = self.upstream.blob(name, digest, 0).await?;
        Ok(Found::Passing(Passing::new(*digest, opened, Arc::clone(&self.pulls))))
    }

    /// The tags there; those here, and true, when they cannot be had.
    pub(crate) async fn tags(&self, name: &RepositoryName) -> Result<(Arc<[Tag]>, bool), Error> {
        match self.upstream.tags(name).await {
            Ok(tags) => Ok((tags.into(), false)),
            Err(Error::Missing) => Err(content::Error::NameUnknown(name.clone()).into()),
            Err(error) => match self.content.tags(name).await {
                Ok(tags) => {
                    tracing::warn!(repository = %name, error = error.causes(), "tags are listed as they were");
                    Ok((tags, true))
                }
                Err(content::Error::NameUnknown(_)) => Err(error),
                Err(error) => Err(error.into()),
            },
        }
    }
}
