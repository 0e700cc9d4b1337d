//! The keys of Distribution, 2.8 and 3 alike, and the commands that remove them.
//!
//! `blobs::<digest>` is a hash of what a blob is, `repository::<name>::blobs` the set of what a repository has, and
//! `repository::<name>::blobs::<digest>` a hash of the media type there.

use oci::{Digest, RepositoryName};

use super::reply::Reply;

/// How many keys are looked at by one command.
const PAGE: &[u8] = b"1000";

/// The words of a command.
pub(super) type Command = Vec<Vec<u8>>;

/// What a `SCAN` has found.
#[derive(Debug)]
pub(super) struct Page {
    /// Where to go on; `0` at the end.
    pub(super) cursor: Vec<u8>,
    /// Keys of descriptors.
    pub(super) keys: Vec<Vec<u8>>,
}

/// A command of plain words.
pub(super) fn command(words: &[&str]) -> Command {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// What takes a digest out of a repository: first out of the set, by which Distribution decides.
pub(super) fn removal(name: &RepositoryName, digest: &Digest) -> [Command; 2] {
    let digest = digest.to_string();
    let set = format!("repository::{name}::blobs");
    let (here, anywhere) = (format!("{set}::{digest}"), format!("blobs::{digest}"));
    [command(&["SREM", &set, &digest]), command(&["DEL", &here, &anywhere])]
}

/// Goes on to look for keys of descriptors.
pub(super) fn scan(cursor: &[u8]) -> Command {
    let words: [&[u8]; 6] = [b"SCAN", cursor, b"MATCH", b"*blobs*", b"COUNT", PAGE];
    words.iter().map(|word| word.to_vec()).collect()
}

/// What such a command has answered; none if that is something else.
pub(super) fn page(reply: Reply) -> Option<Page> {
    let Reply::List(parts) = reply else { return None };
    let Ok([Reply::Bytes(cursor), Reply::List(found)]) = <[Reply; 2]>::try_from(parts) else {
        return None;
    };
    let key = |reply| match reply {
        Reply::Bytes(key) if is_descriptor(&key) => Some(key),
        _ => None,
    };
    Some(Page { cursor, keys: found.into_iter().filter_map(key).collect() })
}

/// What removes these keys; none if there are none.
pub(super) fn removal_of(keys: Vec<Vec<u8>>) -> Option<Command> {
    if keys.is_empty() {
        return None;
    }
    Some([b"DEL".to_vec()].into_iter().chain(keys).collect())
}

/// Whether a key is one of these, and not somebody else's that looks alike.
fn is_descriptor(key: &[u8]) -> bool {
    let Ok(key) = str::from_utf8(key) else { return false };
    let is_digest = |text: &str| text.parse::<Digest>().is_ok();
    if let Some(digest) = key.strip_prefix("blobs::") {
        return is_digest(digest);
    }
    let Some(rest) = key.strip_prefix("repository::") else { return false };
    let Some((name, rest)) = rest.split_once("::blobs") else { return false };
    name.parse::<RepositoryName>().is_ok()
        && (rest.is_empty() || rest.strip_prefix("::").is_some_and(is_digest))
}

#[cfg(test)]
mod tests {
    use oci::Algorithm;

    use super::*;

    #[test]
    fn keys_of_descriptors_are_known_and_others_are_not() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        for (key, is_one) in [
            (format!("blobs::{digest}"), true),
            ("repository::group/app::blobs".to_owned(), true),
            (format!("repository::group/app::blobs::{digest}"), true),
            ("blobs::mine".to_owned(), false),
            ("repository::group/app::blobs::mine".to_owned(), false),
            ("repository::Group::blobs".to_owned(), false),
            ("repository::a::blobsize".to_owned(), false),
            (format!("my::blobs::{digest}"), false),
            ("blobs".to_owned(), false),
        ] {
            assert_eq!(is_descriptor(key.as_bytes()), is_one, "{key}");
        }
        assert!(!is_descriptor(b"blobs::\xff"));
    }

    #[test]
    fn a_page_is_a_cursor_and_keys() {
        let mine = Reply::Bytes(b"blobs::mine".to_vec());
        let other = Reply::Bytes(b"repository::a::blobs".to_vec());
        let found = vec![Reply::Bytes(b"17".to_vec()), Reply::List(vec![mine, other])];
        let found = page(Reply::List(found)).unwrap();
        assert_eq!(found.cursor, b"17");
        assert_eq!(removal_of(found.keys), Some(command(&["DEL", "repository::a::blobs"])));
        assert_eq!(removal_of(Vec::new()), None);
        assert!(page(Reply::Nothing).is_none());
        assert!(page(Reply::List(vec![Reply::Nothing])).is_none());
    }
}
