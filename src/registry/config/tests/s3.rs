//! `storage.s3`, in the spellings of Distribution 2 and 3 and of GitLab's fork.

use std::num::NonZeroU32;

use storage::{S3Config, S3Credentials, S3Encryption};

use super::{config, problems, warnings, with_storage};

const LEAST: &str = "bucket: registry, region: eu-central-1";

fn s3(options: &str) -> S3Config {
    match config(&with_storage(&format!("s3: {{{options}}}"))).storage.driver {
        storage::Config::S3(config) => config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_said_is_as_upstream_has_it() {
    let expected = S3Config {
        credentials: None,
        region: "eu-central-1".to_owned(),
        endpoint: None,
        path_style: None,
        bucket: "registry".to_owned(),
        root_directory: String::new(),
        encryption: S3Encryption::Default,
        secure: true,
        skip_verify: false,
        chunk_size: 10 << 20,
        copy_chunk_size: 32 << 20,
        copy_concurrency: 100,
        copy_threshold: None,
        storage_class: None,
        object_acl: None,
        user_agent: None,
        dual_stack: false,
        fips: false,
        accelerate: false,
        max_requests_per_second: None,
        max_retries: 5,
    };
    assert_eq!(s3(LEAST), expected);
    let other = config(&with_storage(&format!("s3aws: {{{LEAST}}}")));
    assert_eq!(other.storage.driver, storage::Config::S3(expected));
    assert_eq!(other.storage.driver.to_string(), "`s3://registry/`");
    assert_eq!(other.storage.folder(), None);
}

#[test]
fn every_option_is_taken() {
    let text = "accesskey: AK, secretkey: 0123, sessiontoken: t, bucket: a.b_c, regionendpoint: 'http://s3.example.com:9000/', \
                pathstyle: 'false', encrypt: 'true', keyid: 7, secure: off, skipverify: 1, v4auth: true, \
                chunksize: '33554432', multipartcopychunksize: 0x2000000, multipartcopymaxconcurrency: 2, \
                multipartcopythresholdsize: 0, rootdirectory: /a/b/, storageclass: standard_ia, useragent: u, \
                objectacl: bucket-owner-full-control, maxrequestspersecond: 350, maxretries: 0, parallelwalk: true, \
                loglevel: logoff";
    let expected = S3Config {
        credentials: Some(S3Credentials {
            access_key: "AK".to_owned(),
            secret_key: "0123".to_owned(),
            session_token: Some("t".to_owned()),
        }),
        region: "us-east-1".to_owned(),
        endpoint: Some("http://s3.example.com:9000".to_owned()),
        path_style: Some(false),
        bucket: "a.b_c".to_owned(),
        root_directory: "a/b".to_owned(),
        encryption: S3Encryption::Kms(Some("7".to_owned())),
        secure: false,
        skip_verify: true,
        chunk_size: 32 << 20,
        copy_chunk_size: 32 << 20,
        copy_concurrency: 2,
        copy_threshold: Some(0),
        storage_class: Some("STANDARD_IA".to_owned()),
        object_acl: Some("bucket-owner-full-control".to_owned()),
        user_agent: Some("u".to_owned()),
        dual_stack: false,
        fips: false,
        accelerate: false,
        max_requests_per_second: NonZeroU32::new(350),
        max_retries: 0,
    };
    assert_eq!(s3(text), expected);
    assert!(warnings(&with_storage(&format!("s3: {{{text}}}"))).is_empty());
    let amazons =
        s3(&format!("{LEAST}, usedualstack: true, usefipsendpoint: 'true', accelerate: t"));
    assert!(amazons.dual_stack && amazons.fips && amazons.accelerate);
    assert_eq!(s3(&format!("{LEAST}, encrypt: true")).encryption, S3Encryption::Aes256);
    assert_eq!(s3(&format!("{LEAST}, storageclass: none")).storage_class, None);
    assert_eq!(
        s3(&format!("{LEAST}, forcepathstyle: yes, pathstyle: true")).path_style,
        Some(true)
    );
}

#[test]
fn what_does_nothing_is_said() {
    for (options, words) in [
        ("keyid: k", "`storage.s3.keyid`: no effect without `encrypt: true`"),
        ("objectacl: private, objectownership: true", "no effect with `objectownership: true`"),
        ("regionendpoint: a.example.com, accelerate: true", "no effect with a `regionendpoint`"),
        ("buckett: b", "did you mean `storage.s3.bucket`?"),
    ] {
        let found = warnings(&with_storage(&format!("s3: {{{LEAST}, {options}}}")));
        assert_eq!(found.len(), 1, "{options}\n{found:#?}");
        assert!(found[0].contains(words), "{}\nlacks: {words}", found[0]);
    }
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    for (options, words) in [
        ("region: eu-west-1", "`storage.s3.bucket`: missing"),
        ("bucket: b", "`storage.s3.region`: missing, and there is no `regionendpoint`"),
        ("bucket: a/b, region: eu-west-1", "a bucket has no slash in its name"),
        ("bucket: 'a b', region: eu-west-1", "must be letters"),
        ("bucket: b, region: Frankfurt", "no region of Amazon's"),
        ("bucket: b, regionendpoint: 'ftp://a'", "must be the URL of a store"),
        ("bucket: b, regionendpoint: 'https://a/b'", "must be the URL of a store"),
        ("bucket: b, regionendpoint: 'https://u:p@a'", "without a path or a user"),
        ("bucket: b, region: eu-west-1, accesskey: a", "missing, although there is `accesskey`"),
        ("bucket: b, region: eu-west-1, secretkey: a", "missing, although there is `secretkey`"),
        ("bucket: b, region: eu-west-1, sessiontoken: a", "although there is `sessiontoken`"),
        ("bucket: b, region: eu-west-1, chunksize: 5242879", "from 5242880 to 5368709120"),
        ("bucket: b, region: eu-west-1, chunksize: 10MB", "from 5242880 to 5368709120"),
        ("bucket: b, region: eu-west-1, multipartcopymaxconcurrency: 0", "from 1 to 65535"),
        ("bucket: b, region: eu-west-1, maxretries: -1", "from 0 to 100"),
        ("bucket: b, region: eu-west-1, storageclass: FAST", "must be NONE or one of STANDARD,"),
        ("bucket: b, region: eu-west-1, storageclass: glacier", "comes back after hours"),
        ("bucket: b, region: eu-west-1, objectacl: mine", "must be one of private,"),
        ("bucket: b, region: eu-west-1, rootdirectory: a/../b", "beginning of names"),
        ("bucket: b, region: eu-west-1, encrypt: maybe", "must be a boolean"),
        ("bucket: b, region: eu-west-1, v4auth: false", "signatures of version 2"),
        (
            "bucket: b, region: eu-west-1, forcepathstyle: true, pathstyle: false",
            "says the opposite of `forcepathstyle`",
        ),
        (
            "bucket: b, region: eu-west-1, accelerate: true, pathstyle: true",
            "cannot be with the bucket in the path",
        ),
        (
            "bucket: b, region: eu-west-1, redirectendpoint: 'https://a'",
            "redirectendpoint` is `https://a`: not supported yet",
        ),
        ("bucket: [b], region: eu-west-1", "a list where a single value is expected"),
    ] {
        for driver in ["s3", "s3aws"] {
            let found = problems(&with_storage(&format!("{driver}: {{{options}}}")));
            let words = words.replace("`storage.s3.bucket`", &format!("`storage.{driver}.bucket`"));
            let words = words.replace("`storage.s3.region`", &format!("`storage.{driver}.region`"));
            assert!(found[0].contains(&words), "{}\nlacks: {words}", found[0]);
        }
    }
}
