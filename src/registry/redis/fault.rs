//! Why Redis could not be told something.

use std::{io, time::Duration};

/// What went wrong. None of it repeats what was sent, which may be a password.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("failed to connect: {0}")]
    Connect(io::Error),
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// Only the word it begins with: after that Redis may repeat what it was sent.
    #[error("{command} is refused with {code}{advice}")]
    Refused { command: String, code: String, advice: &'static str },
    #[error("what answers is not Redis")]
    NotRedis,
}

impl Fault {
    pub(super) fn refused(command: &[Vec<u8>], message: &str) -> Self {
        let code = message.split(' ').next().unwrap_or_default();
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
        let advice = match code.as_str() {
            "NOAUTH" => ": set `redis.password`",
            "WRONGPASS" => ": `redis.username` or `redis.password` is wrong",
            "NOPERM" => ": its ACL must allow SREM, DEL and SCAN on the keys of the cache",
            "READONLY" => ": it is a replica; name the one that it copies",
            "MOVED" | "CROSSSLOT" | "ASK" => {
                ": it is one of a cluster, which is not supported; name a single Redis"
            }
            _ => "",
        };
        let command = command.first().map(|word| String::from_utf8_lossy(word).into_owned());
        Self::Refused { command: command.unwrap_or_default(), code, advice }
    }
}
