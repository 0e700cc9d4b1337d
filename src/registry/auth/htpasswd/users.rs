//! The lines of a password file: `name:hash`.
//!
//! bcrypt only, as Distribution. Other hashes can be tried too fast once the file has leaked, so their
//! users are left out with a warning.

use std::{collections::HashMap, fmt};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    auth::{
        Unusable,
        recent::{Mark, Recent},
        watched::{Contents, shown},
    },
    config::Secret,
};

/// Passwords that are remembered to be right: twice as many at most.
const REMEMBERED: usize = 8 * 1024;

/// A password of more rounds would take minutes: whoever knows the name could keep a processor busy.
const MOST_ROUNDS: u32 = 17;

/// What Apache's `htpasswd -B` and Go write when nothing is said, about.
const USUAL_ROUNDS: u32 = 10;

/// Every user with a hash that can be verified.
pub(super) struct Users {
    hashes: HashMap<String, Secret>,
    /// For names that nobody has: the answer must not come sooner for them.
    dummy: Secret,
    /// Keyed, so that what is remembered cannot be tried out by who reads the memory.
    key: Hmac<Sha256>,
    verified: Recent<()>,
}

/// Why a name and a password are not those of a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::auth) enum Wrong {
    #[error("no such user")]
    User,
    #[error("wrong password")]
    Password,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("count", &self.hashes.len()).finish_non_exhaustive()
    }
}

/// Reads the file.
pub(super) fn parse(contents: &[Contents]) -> Result<Users, Unusable> {
    let mut hashes = HashMap::new();
    let mut most_rounds = None;
    for Contents { path, bytes } in contents {
        let text =
            std::str::from_utf8(bytes).map_err(|_| Unusable::contents(path, "is not UTF-8"))?;
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = line
                .split_once(':')
                .ok_or_else(|| Unusable::line(path, line_number, "has no colon"))?;
            match Hash::read(hash) {
                Hash::Bcrypt { rounds } => {
                    most_rounds = most_rounds.max(Some(rounds));
                    hashes.insert(name.to_owned(), Secret::new(hash));
                }
                Hash::Broken => {
                    return Err(Unusable::line(path, line_number, "has half a bcrypt hash"));
                }
                Hash::Other(why) => {
                    let file = path.display();
                    tracing::warn!(%file, line = line_number, user = name, why, "user left out");
                }
            }
        }
    }
    if hashes.is_empty() {
        let files = shown(contents.iter().map(|file| &file.path));
        tracing::warn!(%files, "there is no user with a bcrypt hash: nobody is let in");
    }
    Ok(Users::new(hashes, most_rounds.unwrap_or(USUAL_ROUNDS)))
}

impl Users {
    fn new(hashes: HashMap<String, Secret>, rounds: u32) -> Self {
        let key = [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat();
        let key = Hmac::new_from_slice(&key).expect("an HMAC takes a key of any length");
        // A hash of nothing: no password has it, and trying takes as long.
        let dummy = Secret::new(format!("$2y${rounds:02}${}", ".".repeat(53)));
        Self { hashes, dummy, key, verified: Recent::new(REMEMBERED) }
    }

    pub(super) fn mark(&self, name: &str, password: &Secret) -> Mark {
        let length = u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes();
        let mac = self.key.clone().chain_update(length).chain_update(name);
        mac.chain_update(password.expose()).finalize().into_bytes().into()
    }

    pub(super) fn is_verified(&self, mark: &Mark) -> bool {
        self.verified.get(mark).is_some()
    }

    pub(super) fn remember(&self, mark: Mark) {
        self.verified.add(mark, ());
    }

    /// Compares; takes its time.
    pub(super) fn verify(&self, name: &str, password: &Secret) -> Result<(), Wrong> {
        let known = self.hashes.get(name);
        let hash = known.unwrap_or(&self.dummy);
        // A password that bcrypt cannot take is nobody's.
        let is_right = bcrypt::verify(password.expose(), hash.expose()).unwrap_or(false);
        match (known, is_right) {
            (Some(_), true) => Ok(()),
            (Some(_), false) => Err(Wrong::Password),
            (None, _) => Err(Wrong::User),
        }
    }
}

/// What stands behind the colon.
enum Hash {
    Bcrypt {
        rounds: u32,
    },
    /// It begins as bcrypt and does not end as such: somebody is still writing it.
    Broken,
    Other(&'static str),
}

impl Hash {
    fn read(text: &str) -> Self {
        let known = ["$2y$", "$2a$", "$2b$"].iter().find_map(|prefix| text.strip_prefix(prefix));
        let Some(rest) = known else {
            return Self::Other("only bcrypt is verified: htpasswd -B");
        };
        let Some((rounds, digest)) = rest.split_once('$') else { return Self::Broken };
        let is_digest = digest.len() == 53
            && digest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte));
        match rounds.parse() {
            Ok(rounds @ 4..=MOST_ROUNDS) if is_digest => Self::Bcrypt { rounds },
            Ok(..=31) if is_digest => Self::Other("the cost must be from 4 to 17"),
            Ok(_) | Err(_) => Self::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::proptest;

    use super::*;

    /// `secret`, as `htpasswd -nbB -C 4` writes it.
    fn line(name: &str) -> String {
        format!("{name}:{}", bcrypt::hash("secret", 4).unwrap().replace("$2b$", "$2y$"))
    }

    fn read(text: &str) -> Result<Users, Unusable> {
        parse(&[Contents { path: PathBuf::from("/p"), bytes: text.as_bytes().to_vec() }])
    }

    fn verify(users: &Users, name: &str, password: &str) -> Result<(), Wrong> {
        users.verify(name, &Secret::new(password))
    }

    #[test]
    fn a_user_is_known_by_the_password_of_the_file() {
        let users = read(&format!("# comment\n\n  {}  \r\n", line("ann"))).unwrap();
        assert_eq!(verify(&users, "ann", "secret"), Ok(()));
        assert_eq!(verify(&users, "ann", "Secret"), Err(Wrong::Password));
        assert_eq!(verify(&users, "ann", ""), Err(Wrong::Password));
        assert_eq!(verify(&users, "Ann", "secret"), Err(Wrong::User));
        assert_eq!(verify(&users, "", ""), Err(Wrong::User));
        assert_eq!(verify(&users, "# comment", ""), Err(Wrong::User));
    }

    #[test]
    fn every_spelling_of_bcrypt_is_verified() {
        for prefix in ["$2y$", "$2a$", "$2b$"] {
            let users = read(&line("ann").replace("$2y$", prefix)).unwrap();
            assert_eq!(verify(&users, "ann", "secret"), Ok(()), "{prefix}");
        }
    }

    #[test]
    fn the_last_of_two_equal_names_counts() {
        let other = bcrypt::hash("other", 4).unwrap();
        let users = read(&format!("{}\nann:{other}\n", line("ann"))).unwrap();
        assert_eq!(verify(&users, "ann", "other"), Ok(()));
        assert_eq!(verify(&users, "ann", "secret"), Err(Wrong::Password));
    }

    #[test]
    fn other_hashes_are_left_out() {
        let hash = line("x").replace("x:", "");
        for hash in [
            "secret",
            "",
            "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
            "$apr1$4RPcxpT5$6Q9jpTnZ3dDGUNxnxDqYT1",
            &hash.replace("$2y$04$", "$2y$31$"),
            &hash.replace("$2y$", "$2x$"),
        ] {
            let users = read(&format!("ann:{hash}\n{}\n", line("bob"))).unwrap();
            assert_eq!(verify(&users, "ann", "secret"), Err(Wrong::User), "{hash}");
            assert_eq!(verify(&users, "bob", "secret"), Ok(()), "{hash}");
        }
    }

    #[test]
    fn half_a_line_makes_the_file_unusable_and_is_not_shown() {
        let whole = line("ann");
        for text in ["hunter2", &whole[..whole.len() - 1], "ann:$2y$", "ann:$2y$0", "ann:$2y$x$"] {
            let error = read(&format!("{}\n{text}", line("bob"))).unwrap_err().to_string();
            assert!(error.starts_with("line 2 of `/p` has "), "{error}");
            assert!(!error.contains(text), "{error}");
        }
    }

    #[test]
    fn trying_an_unknown_name_takes_a_whole_bcrypt() {
        let users = read(&line("ann")).unwrap();
        let parts: bcrypt::HashParts = users.dummy.expose().parse().unwrap();
        assert_eq!(parts.get_cost(), 4);
        assert!(bcrypt::verify("secret", users.dummy.expose()).is_ok());
    }

    #[test]
    fn marks_tell_names_and_passwords_apart() {
        let users = read("").unwrap();
        let mark = |name, password| users.mark(name, &Secret::new(password));
        assert_ne!(mark("a", "bc"), mark("ab", "c"));
        assert_eq!(mark("a", "bc"), mark("a", "bc"));
        users.remember(mark("a", "bc"));
        assert!(users.is_verified(&mark("a", "bc")) && !users.is_verified(&mark("ab", "c")));
        // Another file, another key.
        assert_ne!(mark("a", "bc"), read("").unwrap().mark("a", &Secret::new("bc")));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(ann:(\\$2y\\$)?)?\\PC{0,80}\n?") {
            let _ = read(&text);
        }
    }
}
