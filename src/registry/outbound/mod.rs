//! Requests that leave this process: to webhooks, key sets, health checks and other registries.
//!
//! One way out for all of them, so that none waits for ever, none takes credentials to a host that
//! nobody configured, and none is told of in a log with what its URL has to hide. Proxies are taken from
//! `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, as Distribution does.

mod fault;
mod redirects;
mod roots;

use std::time::Duration;

pub(crate) use fault::Fault;
pub(crate) use redirects::Redirects;
pub(crate) use roots::trusted_by_the_system;

/// How long a connection may take to be there, its TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a connection is kept for the next request: less than servers keep theirs, so that few end while they are used.
const KEPT: Duration = Duration::from_secs(20);

/// What a client of one purpose may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How long a request may take until the last byte of its answer; none for answers of any size.
    pub(crate) whole: Option<Duration>,
    /// How long the other side may say nothing.
    pub(crate) silence: Duration,
    /// Where a redirect may lead.
    pub(crate) redirects: Redirects,
}

/// Makes a client, which keeps connections; clones share them.
///
/// The certificates of other hosts are held against those that the system trusts (`SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name others).
pub(crate) fn client(terms: Terms) -> Result<reqwest::Client, Fault> {
    builder(terms).build().map_err(Fault::from)
}

/// Makes a client whose requests each have a connection of their own.
pub(crate) fn unpooled_client(terms: Terms) -> Result<reqwest::Client, Fault> {
    builder(terms).pool_max_idle_per_host(0).build().map_err(Fault::from)
}

fn builder(terms: Terms) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("regctl/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(roots::trusting_the_system())
        .redirect(terms.redirects.policy())
        // It would tell whoever a redirect leads to what the URL before it has to hide.
        .referer(false)
        .connect_timeout(terms.whole.unwrap_or(CONNECT).min(CONNECT))
        .read_timeout(terms.silence)
        .pool_idle_timeout(KEPT);
    match terms.whole {
        Some(whole) => builder.timeout(whole),
        None => builder,
    }
}
