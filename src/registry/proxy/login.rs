//! How this registry proves itself to the other one.
//!
//! Name and password go to two places and to no others: the configured host, when it asks for them, and the
//! realm that host names, when it wants tokens. A realm may be on another host, as those of public registries
//! are; then it must be HTTPS, and it must be HTTPS wherever the registry is.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, StatusCode};
use oci::RepositoryName;
use reqwest::{Client, Url};
use serde::Deserialize;

use super::{challenge::Challenge, error::Error, read::bounded};
use crate::{
    config::{self, Credentials},
    outbound::{self, Fault, Redirects, Terms},
};

/// More repositories than are pulled at a time.
const TOKENS: usize = 1024;

/// More than any token takes.
const ANSWER_BYTES: usize = 1024 * 1024;

/// What tokens last when nothing is said, and at most what is believed.
const LASTS: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// For one request to the realm.
const PATIENCE: Duration = Duration::from_secs(15);

/// What this registry says of itself, and the tokens it has got for that.
pub(super) struct Login {
    client: Client,
    /// The other registry.
    registry: Url,
    credentials: Option<Credentials>,
    /// Whether the other registry has asked for name and password.
    wants_basic: AtomicBool,
    tokens: Mutex<HashMap<RepositoryName, Token>>,
}

struct Token {
    header: HeaderValue,
    until: Instant,
}

/// What a realm answers.
#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Login {
    pub(super) fn new(config: &config::Proxy, registry: Url) -> Result<Self, Fault> {
        let redirects = Redirects::SameHost;
        let terms = Terms { whole: Some(PATIENCE), silence: PATIENCE, redirects };
        Ok(Self {
            // A token is wanted so seldom that a connection which was kept has been ended by then.
            client: outbound::unpooled_client(terms)?,
            registry,
            credentials: config.credentials.clone(),
            wants_basic: AtomicBool::new(false),
            tokens: Mutex::default(),
        })
    }

    /// What to say without having been asked: what was wanted the last time.
    pub(super) fn remembered(&self, name: &RepositoryName) -> Option<HeaderValue> {
        if self.wants_basic.load(Ordering::Relaxed) {
            return self.credentials.as_ref().and_then(basic);
        }
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.get(name)?;
        if token.until <= Instant::now() {
            tokens.remove(name);
            return None;
        }
        Some(token.header.clone())
    }

    /// What to say to a challenge.
    pub(super) async fn answer(
        &self,
        challenge: &Challenge,
        name: &RepositoryName,
    ) -> Result<HeaderValue, Error> {
        match challenge {
            Challenge::Basic => {
                let header = self.credentials.as_ref().and_then(basic);
                let header = header.ok_or(Error::Denied(StatusCode::UNAUTHORIZED))?;
                self.wants_basic.store(true, Ordering::Relaxed);
                Ok(header)
            }
            Challenge::Bearer { realm, service, scope } => {
                let mut url: Url = realm.parse().map_err(|_| login("its realm is no URL"))?;
                self.check_realm(&url)?;
                let pull = format!("repository:{name}:pull");
                let account = self.credentials.as_ref().map(|found| &found.username);
                let scope = scope.as_ref().unwrap_or(&pull);
                url.query_pairs_mut()
                    .extend_pairs(service.iter().map(|service| ("service", service)))
                    .append_pair("scope", scope)
                    .extend_pairs(account.map(|account| ("account", account)));
                self.fetch_token(url, name).await
            }
        }
    }

    /// Forgets what was said and not believed.
    pub(super) fn forget(&self, name: &RepositoryName) {
        self.wants_basic.store(false, Ordering::Relaxed);
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn check_realm(&self, realm: &Url) -> Result<(), Error> {
        match (realm.scheme(), self.registry.scheme()) {
            ("https", _) => Ok(()),
            ("http", "http") if realm.host() == self.registry.host() => Ok(()),
            ("http", "http") if self.credentials.is_none() => Ok(()),
            ("http", _) => Err(login("its realm is not HTTPS, and would get the password")),
            _ => Err(login("its realm is neither HTTPS nor HTTP")),
        }
    }

    async fn fetch_token(&self, url: Url, name: &RepositoryName) -> Result<HeaderValue, Error> {
        let mut request = self.client.get(url);
        if let Some(Credentials { username, password }) = &self.credentials {
            request = request.basic_auth(username, Some(password.expose()));
        }
        let response = request.send().await.map_err(|error| login(Fault::from(error)))?;
        match response.status() {
            status if status.is_success() => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Err(Error::Denied(status));
            }
            status => return Err(login(format!("it answers {status}"))),
        }
        let bytes = bounded(response, ANSWER_BYTES).await?;
        let granted: Granted =
            serde_json::from_slice(&bytes).map_err(|_| login("it answers with no token"))?;
        let lasts = granted.expires_in.map_or(LASTS, Duration::from_secs).min(LONGEST);
        let text = granted.token.or(granted.access_token).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| login("it answers with no token"))?;
        let header = HeaderValue::try_from(format!("Bearer {text}"));
        let mut header = header.map_err(|_| login("its token cannot stand in a header"))?;
        header.set_sensitive(true);
        // Used up a little before it expires: clocks differ, and requests take time.
        self.remember(
            name,
            Token { header: header.clone(), until: Instant::now() + lasts * 4 / 5 },
        );
        Ok(header)
    }

    fn remember(&self, name: &RepositoryName, token: Token) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= TOKENS {
            let now = Instant::now();
            tokens.retain(|_, token| token.until > now);
        }
        if tokens.len() >= TOKENS {
            tokens.clear();
        }
        tokens.insert(name.clone(), token);
    }
}

fn login(reason: impl ToString) -> Error {
    Error::Login(reason.to_string())
}

fn basic(Credentials { username, password }: &Credentials) -> Option<HeaderValue> {
    let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
    let mut header = HeaderValue::try_from(format!("Basic {pair}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("registry", &self.registry.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn trusts(registry: &str, credentials: &str, realm: &str) -> bool {
        let text = format!(
            "version: 0.1\nstorage: inmemory\nproxy: {{remoteurl: '{registry}'{credentials}}}\n"
        );
        let config = Config::parse(&text, &[]).unwrap().config.proxy.unwrap();
        let login = Login::new(&config, registry.parse().unwrap()).unwrap();
        login.check_realm(&realm.parse().unwrap()).is_ok()
    }

    #[test]
    fn a_password_goes_to_the_registry_s_host_or_over_https() {
        const NAMED: &str = ", username: a, password: b";
        let https = "https://registry.example.com";
        let http = "http://registry.example.com:5000";
        for (registry, credentials, realm, meant) in [
            (https, NAMED, "https://registry.example.com/token", true),
            (https, NAMED, "https://auth.example.com/token", true),
            (https, NAMED, "http://registry.example.com/token", false),
            (https, "", "http://auth.example.com/token", false),
            (http, NAMED, "http://registry.example.com:5001/token", true),
            (http, NAMED, "https://auth.example.com/token", true),
            (http, NAMED, "http://auth.example.com/token", false),
            (http, "", "http://auth.example.com/token", true),
            (http, "", "file:///etc/passwd", false),
        ] {
            assert_eq!(trusts(registry, credentials, realm), meant, "{registry} {realm}");
        }
    }
}
