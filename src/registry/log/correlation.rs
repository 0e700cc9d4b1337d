//! The id under which one request stands in the log of everybody whom it passed: GitLab's `correlation_id`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use uuid::Uuid;

/// What carries it from one to the next.
const HEADER: &str = "x-request-id";

/// As long as an id of a client's may be.
const LONGEST: usize = 128;

/// Crockford's base 32.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The id of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Correlation(String);

impl Correlation {
    /// What the request says it is, if that can be searched for; else a new one.
    pub(crate) fn of(headers: &HeaderMap, now: SystemTime) -> Self {
        let said = headers.get(HEADER).and_then(|value| value.to_str().ok());
        match said.filter(|said| is_sane(said)) {
            Some(said) => Self(said.to_owned()),
            None => Self::new(now),
        }
    }

    /// A ULID, as GitLab makes them: ids sort as their requests came in.
    fn new(now: SystemTime) -> Self {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        // The first six bytes, and the last seven, are not told by the form of a UUID.
        let uuid = Uuid::new_v4();
        let [a, b, c, d, e, f, _, _, _, g, h, i, j, ..] = *uuid.as_bytes();
        Self(ulid(since, [a, b, c, d, e, f, g, h, i, j]))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether it is a word: no text in disguise, and not too long to stand in each line.
fn is_sane(said: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:=+/@~".contains(&byte);
    (1..=LONGEST).contains(&said.len()) && said.bytes().all(is_part)
}

/// 48 bits of milliseconds and 80 of chance, five to a letter.
fn ulid(since: Duration, chance: [u8; 10]) -> String {
    let milliseconds = since.as_millis() & ((1 << 48) - 1);
    let chance = chance.iter().fold(0, |bits: u128, byte| bits << 8 | u128::from(*byte));
    let bits = milliseconds << 80 | chance;
    let letter = |place: u32| {
        let five = usize::try_from(bits >> (5 * place) & 31).expect("five bits are small");
        char::from(LETTERS[five])
    };
    (0..26).rev().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(said: &[u8]) -> String {
        let value = HeaderValue::from_bytes(said).unwrap();
        let headers = HeaderMap::from_iter([(HEADER.parse().unwrap(), value)]);
        Correlation::of(&headers, UNIX_EPOCH).0
    }

    #[test]
    fn what_a_request_says_is_taken_if_it_is_a_word() {
        let longest = "x".repeat(LONGEST);
        for said in ["01F8MECHZX3TBDSZ7XRADM79XE", "a", "b7c1:0/4_2.f=", longest.as_str()] {
            assert_eq!(of(said.as_bytes()), said);
        }
        let longer = "x".repeat(LONGEST + 1);
        for said in ["", "two words", "\"quoted\"", "{}", "a\tb", longer.as_str()] {
            assert_eq!(of(said.as_bytes()).len(), 26, "{said}");
        }
        assert_eq!(of(b"caf\xe9").len(), 26);
    }

    #[test]
    fn a_new_id_is_a_ulid() {
        // The specification's own moment.
        let since = Duration::from_millis(1_469_918_176_385);
        assert_eq!(ulid(since, [0; 10]), "01ARYZ6S410000000000000000");
        assert_eq!(ulid(since, [255; 10]), "01ARYZ6S41ZZZZZZZZZZZZZZZZ");
        assert_eq!(ulid(Duration::MAX, [0; 10])[..10], *"7ZZZZZZZZZ");
        let chance = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(ulid(Duration::ZERO, chance), "0000000000000G40R40M30E209");
    }

    #[test]
    fn no_two_requests_are_one() {
        let headers = HeaderMap::new();
        let now = SystemTime::now();
        assert_ne!(Correlation::of(&headers, now), Correlation::of(&headers, now));
    }
}
