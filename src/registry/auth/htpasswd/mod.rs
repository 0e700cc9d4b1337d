//! `auth.htpasswd`: users and passwords in a file.
//!
//! bcrypt is slow on purpose, and a pull asks once for each layer. A password that proved right is
//! remembered, by a keyed hash, until the file changes; wrong ones never are. Not more are verified at
//! once than there are processors, so that guessing slows down who guesses and not the rest.

mod users;

use std::{num::NonZero, path::Path, sync::Arc, thread};

use http::HeaderMap;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
};

use super::{
    Unusable, challenge, credentials,
    grant::{Grant, User},
    refusal::{Denied, Reason, Refusal},
    watched::{Contents, Watched},
};
use crate::config;
use users::Users;
pub(super) use users::Wrong;

/// Reads a file of passwords, for fuzzing.
pub fn read(bytes: &[u8]) {
    let path = "htpasswd".into();
    let _users = users::parse(&[Contents { path, bytes: bytes.to_vec() }]);
}

/// How many may wait for a processor; who comes then is sent away at once.
const WAITING: usize = 1024;

/// The users of one file.
#[derive(Debug)]
pub(crate) struct Htpasswd {
    realm: config::HeaderText,
    users: Watched<Users>,
    waiting: Arc<Semaphore>,
    verifying: Arc<Semaphore>,
}

impl Htpasswd {
    pub(super) fn open(config: &config::Htpasswd) -> Result<Self, Unusable> {
        let users = Watched::open(vec![config.path.clone()], users::parse)
            .map_err(|error| not_there(error, &config.path))?;
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Ok(Self {
            realm: config.realm.clone(),
            users,
            waiting: Arc::new(Semaphore::new(WAITING)),
            verifying: Arc::new(Semaphore::new(processors)),
        })
    }

    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<Grant, Denied> {
        let challenge = || Refusal::Challenge(challenge::basic(&self.realm));
        let Some(basic) = credentials::basic(headers) else {
            let reason = match credentials::is_given(headers) {
                false => Reason::NoCredentials,
                true => Reason::OtherScheme("Basic"),
            };
            return Err(Denied::new(challenge(), reason));
        };
        let users = self.users.current().await;
        let user = User::new(&basic.name);
        let mark = users.mark(&basic.name, &basic.password);
        if users.is_verified(&mark) {
            return Ok(Grant::everything(user));
        }
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return Err(Denied::new(Refusal::Busy, Reason::TooManyPasswords).of(user));
        };
        let permit = Arc::clone(&self.verifying).acquire_owned().await.ok();
        let turn = Turn { _place: place, _permit: permit };
        // Perhaps the same was verified while this one waited.
        if users.is_verified(&mark) {
            return Ok(Grant::everything(user));
        }
        let verified = task::spawn_blocking(move || {
            // Held until the end, even if the client does not wait for it.
            let _turn = turn;
            let result = users.verify(&basic.name, &basic.password);
            if result.is_ok() {
                users.remember(mark);
            }
            result
        });
        match verified.await {
            Ok(Ok(())) => Ok(Grant::everything(user)),
            Ok(Err(wrong)) => Err(Denied::new(challenge(), Reason::Password(wrong)).of(user)),
            Err(_) => Err(Denied::new(challenge(), Reason::Panicked).of(user)),
        }
    }
}

struct Turn {
    _place: OwnedSemaphorePermit,
    _permit: Option<OwnedSemaphorePermit>,
}

fn not_there(error: Unusable, path: &Path) -> Unusable {
    match error {
        Unusable::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Unusable::NoPasswords { path: path.to_owned() }
        }
        error => error,
    }
}
