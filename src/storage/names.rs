//! What the name of an object says: digests, repositories and tags stand in it, so that nothing is read.

use std::str::FromStr;

use oci::{Algorithm, Digest, RepositoryName, Tag};

use crate::{
    UploadId,
    survey::{Found, Part},
};

/// What stands under a name below `docker/registry/v2`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Fact<'a> {
    Blob(Digest),
    /// Something of a repository, and the folders that it is in.
    Of(RepositoryName, &'static [Part], Option<Found>),
    /// A part of a repository whose name no registry takes; its path.
    Nameless(&'a str),
    /// What no registry has put there; as much of its path as says so.
    Stranger(&'a str),
    /// It stands for an empty folder, or is regctl's own.
    Nothing,
}

/// Whether a file below `docker/registry/v2` is something that registries put there.
pub(crate) fn is_known(name: &str) -> bool {
    !matches!(read(name), Fact::Stranger(_) | Fact::Nameless(_))
}

const LAYERS: &[Part] = &[Part::Layers];
const MANIFESTS: &[Part] = &[Part::Manifests];
const TAGS: &[Part] = &[Part::Manifests, Part::Tags];

/// Reads a name; one that ends with a slash stands for a folder.
pub(crate) fn read(name: &str) -> Fact<'_> {
    let (path, is_folder) = match name.strip_suffix('/') {
        Some(path) => (path, true),
        None => (name, false),
    };
    let fact = match path.split_once('/') {
        Some(("blobs", _)) => blob(path),
        Some(("repositories", _)) => of_repository(path),
        Some(("regctl" | "regctl-trash", _)) => Fact::Nothing,
        Some((top, _)) => Fact::Stranger(top),
        None => Fact::Stranger(path),
    };
    match fact {
        // Empty folders are of no interest but those that make a repository.
        Fact::Of(name, parts, None) if is_folder => Fact::Of(name, parts, None),
        _ if is_folder => Fact::Nothing,
        Fact::Of(_, _, None) => Fact::Stranger(path),
        fact => fact,
    }
}

/// The beginning of a path up to the end of a part of it.
fn until<'a>(path: &'a str, part: &str) -> &'a str {
    let begin = part.as_ptr() as usize - path.as_ptr() as usize;
    &path[..begin + part.len()]
}

fn blob(path: &str) -> Fact<'_> {
    let parts: Vec<&str> = path.split('/').collect();
    let Ok(algorithm) = Algorithm::from_str(parts[1]) else {
        return Fact::Stranger(until(path, parts[1]));
    };
    let Some(shard) = parts.get(2).filter(|shard| is_shard(shard)) else {
        return Fact::Stranger(parts.get(2).map_or(path, |shard| until(path, shard)));
    };
    let Some(hex) = parts.get(3) else { return Fact::Stranger(path) };
    match Digest::from_hex(algorithm, hex) {
        Ok(digest) if hex.starts_with(shard) && parts[4..] == ["data"] => Fact::Blob(digest),
        Ok(_) if hex.starts_with(shard) => Fact::Stranger(path),
        _ => Fact::Stranger(until(path, hex)),
    }
}

fn is_shard(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn of_repository(path: &str) -> Fact<'_> {
    let mut parts = path.split('/').skip(1);
    let mut above = "";
    let Some(part) = parts.by_ref().find(|part| {
        let is_part = part.starts_with('_');
        if !is_part {
            above = part;
        }
        is_part
    }) else {
        return Fact::Stranger(path);
    };
    if above.is_empty() || !matches!(part, "_layers" | "_manifests" | "_uploads") {
        return Fact::Stranger(until(path, part));
    }
    let name = until(path, above).strip_prefix("repositories/").unwrap_or_default();
    let Ok(name) = RepositoryName::from_str(name) else {
        return Fact::Nameless(until(path, part));
    };
    let rest: Vec<&str> = parts.collect();
    let (found, known) = match part {
        "_layers" => (LAYERS, digest(path, &rest).map(|it| it.map(Found::Layer))),
        "_uploads" => (&[][..], upload(path, &rest)),
        _ => manifests(path, &rest),
    };
    match known {
        Ok(known) => Fact::Of(name, found, known),
        Err(stranger) => Fact::Stranger(stranger),
    }
}

/// `<algorithm>/<hex>/link`, or a folder on the way there; else what is wrong.
fn digest<'a>(path: &'a str, rest: &[&'a str]) -> Result<Option<Digest>, &'a str> {
    let Some(algorithm) = rest.first() else { return Ok(None) };
    let known = Algorithm::from_str(algorithm).map_err(|_| until(path, algorithm))?;
    let Some(hex) = rest.get(1) else { return Ok(None) };
    let digest = Digest::from_hex(known, hex).map_err(|_| until(path, hex))?;
    match rest[2..] {
        [] => Ok(None),
        ["link"] => Ok(Some(digest)),
        _ => Err(path),
    }
}

fn upload<'a>(path: &'a str, rest: &[&'a str]) -> Result<Option<Found>, &'a str> {
    let Some(id) = rest.first() else { return Ok(None) };
    let found = UploadId::from_str(id).map_err(|_| until(path, id))?;
    Ok((rest.len() > 1).then_some(Found::Upload(found)))
}

type OfManifests<'a> = (&'static [Part], Result<Option<Found>, &'a str>);

fn manifests<'a>(path: &'a str, rest: &[&'a str]) -> OfManifests<'a> {
    match rest {
        [] => (MANIFESTS, Ok(None)),
        ["revisions", rest @ ..] => {
            (MANIFESTS, digest(path, rest).map(|it| it.map(Found::Revision)))
        }
        ["tags", rest @ ..] => (TAGS, tag(path, rest)),
        [other, ..] => (MANIFESTS, Err(until(path, other))),
    }
}

fn tag<'a>(path: &'a str, rest: &[&'a str]) -> Result<Option<Found>, &'a str> {
    let Some(name) = rest.first() else { return Ok(None) };
    let tag = Tag::from_str(name).map_err(|_| until(path, name))?;
    match &rest[1..] {
        ["current", "link"] => Ok(Some(Found::Tag(tag))),
        ["index", rest @ ..] => Ok(digest(path, rest)?.map(|digest| Found::TagIndex(tag, digest))),
        [] | ["current"] => Ok(None),
        _ => Err(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex() -> String {
        Digest::of(Algorithm::Sha256, b"x").to_hex().to_string()
    }

    #[test]
    fn names_say_what_stands_there() {
        let (hex, digest) = (hex(), Digest::of(Algorithm::Sha256, b"x"));
        let app: RepositoryName = "group/app".parse().unwrap();
        let tag: Tag = "v1".parse().unwrap();
        let id = UploadId::random();
        let of = |parts, found| Fact::Of(app.clone(), parts, Some(found));
        let at = |path: &str| format!("repositories/group/app/{path}");
        let shard = &hex[..2];
        let rows = [
            (format!("blobs/sha256/{shard}/{hex}/data"), Fact::Blob(digest)),
            (at(&format!("_layers/sha256/{hex}/link")), of(LAYERS, Found::Layer(digest))),
            (
                at(&format!("_manifests/revisions/sha256/{hex}/link")),
                of(MANIFESTS, Found::Revision(digest)),
            ),
            (at("_manifests/tags/v1/current/link"), of(TAGS, Found::Tag(tag.clone()))),
            (
                at(&format!("_manifests/tags/v1/index/sha256/{hex}/link")),
                of(TAGS, Found::TagIndex(tag, digest)),
            ),
            (at(&format!("_uploads/{id}/startedat")), of(&[], Found::Upload(id))),
            (at(&format!("_uploads/{id}/hashstates/sha256/0")), of(&[], Found::Upload(id))),
        ];
        for (name, fact) in &rows {
            assert_eq!(read(name), *fact, "{name}");
        }
    }

    #[test]
    fn what_nobody_knows_is_told_as_far_as_it_is_known() {
        let hex = hex();
        for (name, stranger) in [
            ("other/a/b", "other"),
            ("file", "file"),
            ("blobs/md5/aa/bb/data", "blobs/md5"),
            ("blobs/sha256/zz/a", "blobs/sha256/zz"),
            ("blobs/sha256/aa/short/data", "blobs/sha256/aa/short"),
            ("blobs/sha256", "blobs/sha256"),
            ("repositories/file", "repositories/file"),
            ("repositories/_layers/a", "repositories/_layers"),
            ("repositories/a/_other/b", "repositories/a/_other"),
            ("repositories/a/_layers", "repositories/a/_layers"),
            ("repositories/a/_layers/sha256/x/link", "repositories/a/_layers/sha256/x"),
            ("repositories/a/_manifests/x/y", "repositories/a/_manifests/x"),
            ("repositories/a/_manifests/tags/.h/current/link", "repositories/a/_manifests/tags/.h"),
            ("repositories/a/_uploads/x/data", "repositories/a/_uploads/x"),
        ] {
            assert_eq!(read(name), Fact::Stranger(stranger), "{name}");
        }
        let beside = format!("repositories/a/_layers/sha256/{hex}/other");
        assert_eq!(read(&beside), Fact::Stranger(&beside));
        let nameless = "repositories/A/_manifests/tags/v1/current/link";
        assert_eq!(read(nameless), Fact::Nameless("repositories/A/_manifests"));
    }

    #[test]
    fn an_empty_folder_says_at_most_that_there_is_a_repository() {
        let a: RepositoryName = "a".parse().unwrap();
        for (name, parts) in [
            ("repositories/a/_layers/", LAYERS),
            ("repositories/a/_manifests/", MANIFESTS),
            ("repositories/a/_manifests/tags/", TAGS),
            ("repositories/a/_manifests/tags/v1/", TAGS),
        ] {
            assert_eq!(read(name), Fact::Of(a.clone(), parts, None), "{name}");
        }
        for name in
            ["repositories/a/", "repositories/", "blobs/sha256/aa/", "x/", "regctl-trash/r/blobs/a"]
        {
            assert_eq!(read(name), Fact::Nothing, "{name}");
        }
    }
}
