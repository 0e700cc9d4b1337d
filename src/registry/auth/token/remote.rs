//! `jwks` by URL: the keys of an issuer that publishes them.
//!
//! The set is asked for with the first token, and again when it is no longer fresh: as its answer says (`Cache-Control`), from a minute
//! to a day. A token that no known key has signed has it asked for at once, every half minute at most. While the issuer does not
//! answer the former keys are good for another hour; then nobody gets in until it answers.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::{
    HeaderMap,
    header::{ACCEPT, CACHE_CONTROL},
};
use sha2::{Digest, Sha256};
use tokio::sync;

use super::keys::{self, Keys};
use crate::{
    auth::{Unusable, watched::Contents},
    config::WebUrl,
    log::Causes as _,
    outbound::{self, Fault, Redirects, Terms},
};

/// How long an issuer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// As long as no set is.
const LONGEST: usize = 1024 * 1024;

/// How long a set is fresh that does not say.
const FRESH: Duration = Duration::from_secs(15 * 60);
const FRESH_MIN: Duration = Duration::from_secs(60);
const FRESH_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long keys are good that are no longer fresh.
const STALE: Duration = Duration::from_secs(3600);

/// An issuer is asked so often at most: by whoever sends it a token that nobody signed, too.
const ROUND: Duration = Duration::from_secs(30);

/// The same while there is no key at all, and everybody waits.
const FIRST_ROUND: Duration = Duration::from_secs(2);

/// The keys under a URL.
#[derive(Debug)]
pub(super) struct Remote(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    url: WebUrl,
    client: reqwest::Client,
    state: Mutex<State>,
    /// One asks, the others wait for what it hears.
    turn: sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    /// When the issuer was last asked, whatever came of it.
    asked: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    keys: Arc<Keys>,
    /// Of the document.
    digest: [u8; 32],
    heard: Instant,
    fresh: Duration,
}

/// What keys are good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Age {
    Fresh,
    /// Good, and to be asked for again.
    Stale,
    /// Not good any more, or never there.
    Gone,
}

/// Why no keys were heard.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error(transparent)]
    Unreachable(#[from] Fault),
    #[error("it answers {0}")]
    Status(u16),
    #[error("the answer is longer than {LONGEST} bytes")]
    TooLong,
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

impl Remote {
    pub(super) fn new(url: WebUrl) -> Result<Self, Unusable> {
        let terms =
            Terms { whole: Some(PATIENCE), silence: PATIENCE, redirects: Redirects::SameHost };
        let client = outbound::client(terms).map_err(|fault| {
            Unusable::contents(&PathBuf::from(url.to_string()), format!("cannot be asked: {fault}"))
        })?;
        let (state, turn) = Default::default();
        Ok(Self(Arc::new(Shared { url, client, state, turn })))
    }

    /// The keys that are good now; none if the issuer has not answered for too long.
    pub(super) async fn current(&self) -> Option<Arc<Keys>> {
        let shared = &self.0;
        let age = shared.lock().age(Instant::now());
        match age {
            Age::Fresh => {}
            Age::Stale => {
                if shared.is_time() {
                    let shared = Arc::clone(shared);
                    tokio::spawn(async move { shared.ask().await });
                }
            }
            Age::Gone => self.0.ask_shielded().await,
        }
        shared.lock().good(Instant::now())
    }

    /// Other keys than these, for a token that none of these has signed.
    pub(super) async fn others(&self, than: &Arc<Keys>) -> Option<Arc<Keys>> {
        let is_other = |keys: &Arc<Keys>| !Arc::ptr_eq(keys, than);
        if let Some(keys) = self.0.lock().good(Instant::now()).filter(is_other) {
            return Some(keys);
        }
        self.0.ask_shielded().await;
        self.0.lock().good(Instant::now()).filter(is_other)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each of its parts is replaced as one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_time(&self) -> bool {
        self.lock().is_time(Instant::now())
    }

    /// Asks, and goes on asking for the others if this client goes away.
    async fn ask_shielded(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        // If it panics, the former keys stay.
        let _ = tokio::spawn(async move { shared.ask().await }).await;
    }

    /// Asks the issuer, unless that was done a moment ago.
    async fn ask(&self) {
        let _turn = self.turn.lock().await;
        {
            let mut state = self.lock();
            let now = Instant::now();
            if !state.is_time(now) {
                return;
            }
            state.asked = Some(now);
        }
        let heard = self.fetch().await;
        let mut state = self.lock();
        // Who has waited for this answer asks no question of its own.
        state.asked = Some(Instant::now());
        match heard {
            Ok((bytes, fresh)) => {
                if let Err(error) = state.hear(&self.url, &bytes, fresh, Instant::now()) {
                    self.say(&error.into());
                }
            }
            Err(error) => self.say(&error),
        }
    }

    fn say(&self, error: &Unheard) {
        let url = &self.url;
        tracing::error!(%url, error = error.causes(), "keys cannot be had from `auth.token.jwks`; those known are good for an hour");
    }

    async fn fetch(&self) -> Result<(Vec<u8>, Duration), Unheard> {
        let request = self.client.get(self.url.expose().clone());
        let request = request.header(ACCEPT, "application/jwk-set+json, application/json");
        let mut answer = request.send().await.map_err(Fault::from)?;
        if answer.status() != 200 {
            return Err(Unheard::Status(answer.status().as_u16()));
        }
        let fresh = fresh(answer.headers());
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(Fault::from)? {
            if bytes.len() + part.len() > LONGEST {
                return Err(Unheard::TooLong);
            }
            bytes.extend_from_slice(&part);
        }
        Ok((bytes, fresh))
    }
}

impl State {
    fn age(&self, now: Instant) -> Age {
        let Some(known) = &self.known else { return Age::Gone };
        match now.saturating_duration_since(known.heard) {
            age if age < known.fresh => Age::Fresh,
            age if age < known.fresh + STALE => Age::Stale,
            _ => Age::Gone,
        }
    }

    fn good(&self, now: Instant) -> Option<Arc<Keys>> {
        let known = self.known.as_ref().filter(|_| self.age(now) != Age::Gone);
        known.map(|known| Arc::clone(&known.keys))
    }

    fn is_time(&self, now: Instant) -> bool {
        let round = if self.known.is_some() { ROUND } else { FIRST_ROUND };
        self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= round)
    }

    /// Takes a document. One that is the same keeps the keys, and with them the tokens that they have verified.
    fn hear(
        &mut self,
        url: &WebUrl,
        bytes: &[u8],
        fresh: Duration,
        now: Instant,
    ) -> Result<(), Unusable> {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let same = self.known.as_ref().filter(|known| known.digest == digest);
        let keys = match same {
            Some(known) => Arc::clone(&known.keys),
            None => {
                let contents = Contents { path: url.to_string().into(), bytes: bytes.to_vec() };
                let keys = Arc::new(keys::of_jwks(&[contents])?);
                tracing::info!(%url, "keys are known");
                keys
            }
        };
        self.known = Some(Known { keys, digest, heard: now, fresh });
        Ok(())
    }
}

/// How long an answer says that it is fresh.
fn fresh(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<String> = values
        .flat_map(|value| value.split(','))
        .map(|it| it.trim().to_ascii_lowercase())
        .collect();
    if directives.iter().any(|directive| matches!(directive.as_str(), "no-store" | "no-cache")) {
        return FRESH_MIN;
    }
    let age = directives.iter().find_map(|it| it.strip_prefix("max-age=")?.parse().ok());
    age.map_or(FRESH, Duration::from_secs).clamp(FRESH_MIN, FRESH_MAX)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;

    /// Publishes a key at an address, until aborted.
    async fn publish(address: &str) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let publishing = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await;
                let (keys, close) = (set("one"), "Connection: close\r\n\r\n");
                let length = keys.len();
                let answer = format!("HTTP/1.1 200 x\r\nContent-Length: {length}\r\n{close}{keys}");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (address, publishing)
    }

    impl Remote {
        /// Has so much time gone by since the issuer was asked, and has answered.
        fn age(&self, by: Duration) {
            let mut state = self.0.lock();
            state.asked = state.asked.map(|asked| asked.checked_sub(by).unwrap());
            if let Some(known) = &mut state.known {
                known.heard = known.heard.checked_sub(by).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn an_issuer_that_is_away_for_an_hour_lets_nobody_in_until_it_is_back() {
        let (address, publishing) = publish("127.0.0.1:0").await;
        let remote = Remote::new(format!("http://{address}/keys").parse().unwrap()).unwrap();
        assert!(remote.current().await.is_some());
        publishing.abort();
        assert!(publishing.await.unwrap_err().is_cancelled());
        remote.age(FRESH + STALE - Duration::from_secs(5));
        assert!(remote.current().await.is_some(), "an hour is not over");
        remote.age(Duration::from_secs(10));
        assert!(remote.current().await.is_none(), "what was known is good for an hour");
        let (_, publishing) = publish(&address).await;
        remote.age(ROUND);
        assert!(remote.current().await.is_some());
        publishing.abort();
    }

    /// An Ed25519 key, RFC 8037's own, under a name.
    fn set(kid: &str) -> String {
        format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}]}}"#
        )
    }

    fn url() -> WebUrl {
        "https://auth.example.com/keys".parse().unwrap()
    }

    #[test]
    fn keys_are_fresh_then_stale_and_then_refused() {
        let (start, mut state) = (Instant::now(), State::default());
        assert_eq!(state.age(start), Age::Gone);
        state.hear(&url(), set("one").as_bytes(), FRESH, start).unwrap();
        let second = Duration::from_secs(1);
        for (after, age) in [
            (Duration::ZERO, Age::Fresh),
            (FRESH - second, Age::Fresh),
            (FRESH, Age::Stale),
            (FRESH + STALE - second, Age::Stale),
            (FRESH + STALE, Age::Gone),
        ] {
            assert_eq!(state.age(start + after), age, "{after:?}");
            assert_eq!(state.good(start + after).is_some(), age != Age::Gone);
        }
    }

    #[test]
    fn the_same_document_keeps_the_keys_and_another_replaces_them() {
        let (start, mut state) = (Instant::now(), State::default());
        state.hear(&url(), set("one").as_bytes(), FRESH, start).unwrap();
        let first = state.good(start).unwrap();
        state.hear(&url(), set("one").as_bytes(), FRESH, start + FRESH).unwrap();
        assert!(Arc::ptr_eq(&first, &state.good(start + FRESH).unwrap()));
        // What is no set, or has no key, changes nothing.
        for text in ["<html>", r#"{"keys":[]}"#] {
            state.hear(&url(), text.as_bytes(), FRESH, start + FRESH).unwrap_err();
            assert!(Arc::ptr_eq(&first, &state.good(start + FRESH).unwrap()), "{text}");
        }
        state.hear(&url(), set("two").as_bytes(), FRESH, start + FRESH).unwrap();
        let second = state.good(start + FRESH).unwrap();
        assert_eq!((second.named("one").len(), second.named("two").len()), (0, 1));
    }

    #[test]
    fn an_issuer_is_asked_now_and_then() {
        let (start, mut state) = (Instant::now(), State::default());
        assert!(state.is_time(start));
        state.asked = Some(start);
        assert!(!state.is_time(start + Duration::from_secs(1)));
        assert!(state.is_time(start + FIRST_ROUND));
        state.hear(&url(), set("one").as_bytes(), FRESH, start).unwrap();
        assert!(!state.is_time(start + FIRST_ROUND));
        assert!(state.is_time(start + ROUND));
    }

    #[test]
    fn an_answer_says_how_long_it_is_fresh_within_bounds() {
        for (value, seconds) in [
            ("max-age=600", 600),
            ("public, Max-Age=7200, must-revalidate", 7200),
            ("max-age=5", 60),
            ("max-age=31536000", 86400),
            ("no-cache", 60),
            ("max-age=600, no-store", 60),
            ("private", 900),
            ("max-age=x", 900),
        ] {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(value))]);
            assert_eq!(fresh(&headers).as_secs(), seconds, "{value}");
        }
        assert_eq!(fresh(&HeaderMap::new()), FRESH);
    }
}
