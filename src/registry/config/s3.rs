//! `storage.s3`, and `storage.s3aws`, its other name: a bucket, under the names of Distribution 2 and 3 and of GitLab's
//! fork.

use std::num::NonZeroU32;

use storage::S3Config;

use super::{
    check::Findings,
    keys, scalar,
    tree::{Entry, Node},
};

const MEBI: u64 = 1024 * 1024;
/// The least and the most that a store takes as a part.
const PART: (u64, u64) = (5 * MEBI, 5 * 1024 * MEBI);
const CHUNK: u64 = 10 * MEBI;
const COPY_CHUNK: u64 = 32 * MEBI;
const COPIES: u64 = 100;
const RETRIES: u64 = 5;
/// Further tries than these would keep a client for longer than it waits.
const MOST_RETRIES: u64 = 100;

/// What there is of Amazon's, from 2.8's table and what has come since: `eu-west-1`, `us-gov-east-1`.
const REGION_PARTS: std::ops::RangeInclusive<usize> = 3..=4;
/// The region that stores which are not Amazon's expect, and most of them do not look at.
const USUAL_REGION: &str = "us-east-1";

const CLASSES: [&str; 11] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "OUTPOSTS",
    "GLACIER_IR",
    "EXPRESS_ONEZONE",
    "SNOW",
    "FSX_OPENZFS",
    "FSX_ONTAP",
];
/// Objects that only come back after hours are no layers.
const FROZEN: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

const ACLS: [&str; 7] = [
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];

/// The section of a driver, of which a file has one, by either name.
struct Section<'a, 'b> {
    path: String,
    section: &'a Node,
    findings: &'b mut Findings,
}

/// Reads the section; what cannot be used is a problem each, and none is made up.
pub(super) fn read(driver: &Entry, findings: &mut Findings) -> Option<S3Config> {
    let path = keys::join("storage", &driver.key);
    let known = findings.problems.len();
    let mut section = Section { path, section: &driver.node, findings };
    let endpoint = section.endpoint();
    let config = S3Config {
        credentials: section.credentials(),
        region: section.region(endpoint.is_some()),
        path_style: section.path_style(),
        bucket: section.bucket(),
        root_directory: section.root_directory(),
        encryption: section.encryption(),
        secure: section.flag("secure").unwrap_or(true),
        skip_verify: section.flag("skipverify").unwrap_or(false),
        chunk_size: section.number("chunksize", PART, CHUNK),
        copy_chunk_size: section.number("multipartcopychunksize", PART, COPY_CHUNK),
        copy_concurrency: section.copies(),
        copy_threshold: section.copy_threshold(),
        storage_class: section.storage_class(),
        object_acl: section.object_acl(),
        user_agent: section.user_agent(),
        dual_stack: section.amazons("usedualstack", endpoint.is_some()),
        fips: section.amazons("usefipsendpoint", endpoint.is_some()),
        accelerate: section.amazons("accelerate", endpoint.is_some()),
        max_requests_per_second: section.pace(),
        max_retries: u32::try_from(section.number("maxretries", (0, MOST_RETRIES), RETRIES))
            .unwrap_or(u32::MAX),
        endpoint,
    };
    section.signatures();
    section.contradictions(&config);
    (section.findings.problems.len() == known).then_some(config)
}

impl<'a> Section<'a, '_> {
    fn node(&self, name: &str) -> Option<&'a Node> {
        self.section.find(name)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.node(name)?.text().filter(|text| !text.is_empty())
    }

    /// A problem with an option, or with what is not there.
    fn problem(&mut self, name: &str, message: impl Into<String>, advice: Option<&str>) {
        let node = self.node(name).unwrap_or(self.section);
        self.findings.problem(&keys::join(&self.path, name), node, message, advice);
    }

    fn warning(&mut self, name: &str, message: &str) {
        let node = self.node(name).unwrap_or(self.section);
        self.findings.warning(&keys::join(&self.path, name), node, message);
    }

    /// Distribution takes options as what they are and as text, in the words of Go: `1`, `t` and `true`.
    fn flag(&mut self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        let meant = match text {
            "1" | "t" | "T" => Some(true),
            "0" | "f" | "F" => Some(false),
            text => scalar::boolean(text),
        };
        if meant.is_none() {
            self.problem(name, "must be a boolean", Some("write `true` or `false`"));
        }
        meant
    }

    fn number(&mut self, name: &str, (least, most): (u64, u64), otherwise: u64) -> u64 {
        let Some(text) = self.text(name) else { return otherwise };
        let number = scalar::integer(text).and_then(|number| u64::try_from(number).ok());
        let number = number.filter(|number| (least..=most).contains(number));
        number.unwrap_or_else(|| {
            self.problem(name, format!("must be a number from {least} to {most}"), None);
            otherwise
        })
    }

    fn credentials(&mut self) -> Option<storage::S3Credentials> {
        let [access, secret, session] =
            ["accesskey", "secretkey", "sessiontoken"].map(|name| self.text(name));
        match (access, secret) {
            (Some(access), Some(secret)) => Some(storage::S3Credentials {
                access_key: access.to_owned(),
                secret_key: secret.to_owned(),
                session_token: session.map(str::to_owned),
            }),
            (None, None) if session.is_none() => None,
            (access, secret) => {
                let given = if session.is_some() { "sessiontoken" } else { "" };
                let (name, given) = match (access, secret) {
                    (Some(_), _) => ("secretkey", "accesskey"),
                    (None, Some(_)) => ("accesskey", "secretkey"),
                    (None, None) => ("accesskey", given),
                };
                let advice = "write `accesskey` and `secretkey`, or neither: then they come from the environment, a profile or \
                              the machine's role";
                self.problem(name, format!("missing, although there is `{given}`"), Some(advice));
                None
            }
        }
    }

    fn bucket(&mut self) -> String {
        let Some(bucket) = self.text("bucket") else {
            let advice = Some("name the bucket that holds docker/registry/v2");
            self.problem("bucket", "missing", advice);
            return String::new();
        };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if bucket.contains('/') {
            let advice = Some("what follows the slash belongs into `rootdirectory`");
            self.problem("bucket", "a bucket has no slash in its name", advice);
        } else if !bucket.bytes().all(fits) {
            let message = "must be letters, digits, dots, hyphens and underscores";
            self.problem("bucket", message, None);
        }
        bucket.to_owned()
    }

    fn region(&mut self, has_endpoint: bool) -> String {
        match self.text("region") {
            Some(region) if has_endpoint || is_region(region) => region.to_owned(),
            Some(region) => {
                let advice = "write one of Amazon's, such as `eu-central-1`, or a `regionendpoint`";
                self.problem("region", "no region of Amazon's", Some(advice));
                region.to_owned()
            }
            None if has_endpoint => USUAL_REGION.to_owned(),
            None => {
                let advice = "write the bucket's, such as `eu-central-1`, or a `regionendpoint`";
                self.problem("region", "missing, and there is no `regionendpoint`", Some(advice));
                String::new()
            }
        }
    }

    fn endpoint(&mut self) -> Option<String> {
        let text = self.text("regionendpoint")?;
        let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
        let scheme = text.split_once("://").map_or("https", |(scheme, _)| scheme);
        let authority = authority.trim_end_matches('/');
        let is_http = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let has_host = authority.parse::<http::uri::Authority>().is_ok_and(|parsed| {
            !parsed.host().is_empty() && !authority.contains('@') && !authority.ends_with(':')
        });
        if !is_http || !has_host {
            let message = "must be the URL of a store, without a path or a user";
            let advice = Some("write `https://s3.example.com`");
            // A user's name is followed by a password.
            let node = match self.node("regionendpoint") {
                Some(node) if !text.contains('@') => node,
                _ => self.section,
            };
            let path = keys::join(&self.path, "regionendpoint");
            self.findings.problem(&path, node, message, advice);
        }
        Some(text.trim_end_matches('/').to_owned())
    }

    /// Distribution 3 and GitLab's fork have a word each for one thing.
    fn path_style(&mut self) -> Option<bool> {
        let (forced, style) = (self.flag("forcepathstyle"), self.flag("pathstyle"));
        if forced.zip(style).is_some_and(|(forced, style)| forced != style) {
            let message = "says the opposite of `forcepathstyle`, which is another word for it";
            self.problem("pathstyle", message, Some("keep one of the two"));
        }
        forced.or(style)
    }

    fn root_directory(&mut self) -> String {
        let root = self.text("rootdirectory").unwrap_or_default().trim_matches('/');
        let odd = |part: &str| part.is_empty() || part == "." || part == "..";
        if !root.is_empty() && (root.split('/').any(odd) || root.contains(char::is_control)) {
            let message = "must be the beginning of names: parts with single slashes between them";
            self.problem("rootdirectory", message, None);
        }
        root.to_owned()
    }

    fn encryption(&mut self) -> storage::S3Encryption {
        let key = self.text("keyid").map(str::to_owned);
        match (self.flag("encrypt").unwrap_or(false), key) {
            (true, Some(key)) => storage::S3Encryption::Kms(Some(key)),
            (true, None) => storage::S3Encryption::Aes256,
            (false, None) => storage::S3Encryption::Default,
            (false, Some(_)) => {
                self.warning("keyid", "no effect without `encrypt: true`, as in Distribution");
                storage::S3Encryption::Default
            }
        }
    }

    fn copies(&mut self) -> usize {
        let most = u64::from(u16::MAX);
        let copies = self.number("multipartcopymaxconcurrency", (1, most), COPIES);
        usize::try_from(copies).unwrap_or(usize::MAX)
    }

    fn copy_threshold(&mut self) -> Option<u64> {
        let name = "multipartcopythresholdsize";
        self.text(name).map(|_| self.number(name, (0, PART.1), PART.1))
    }

    fn storage_class(&mut self) -> Option<String> {
        let class = self.text("storageclass")?.to_ascii_uppercase();
        match class.as_str() {
            "NONE" => None,
            known if CLASSES.contains(&known) => Some(class),
            frozen => {
                let message = match FROZEN.contains(&frozen) {
                    true => {
                        "what is stored so comes back after hours: no pull waits for it".to_owned()
                    }
                    false => format!("must be NONE or one of {}", CLASSES.join(", ")),
                };
                self.problem("storageclass", message, None);
                None
            }
        }
    }

    /// Where the bucket's owner owns everything, the store refuses requests that name a list.
    fn object_acl(&mut self) -> Option<String> {
        let owned = self.flag("objectownership").unwrap_or(false);
        let acl = self.text("objectacl")?;
        if !ACLS.contains(&acl) {
            self.problem("objectacl", format!("must be one of {}", ACLS.join(", ")), None);
        }
        if owned {
            self.warning("objectacl", "no effect with `objectownership: true`");
        }
        (!owned).then(|| acl.to_owned())
    }

    fn user_agent(&mut self) -> Option<String> {
        let agent = self.text("useragent")?;
        if http::HeaderValue::from_str(agent).is_err() {
            self.problem("useragent", "must be text that can stand in a header", None);
        }
        Some(agent.to_owned())
    }

    /// An option that changes Amazon's own addresses, and nothing else.
    fn amazons(&mut self, name: &str, has_endpoint: bool) -> bool {
        let wanted = self.flag(name).unwrap_or(false);
        if wanted && has_endpoint {
            self.warning(name, "no effect with a `regionendpoint`: it is about Amazon's own");
        }
        wanted && !has_endpoint
    }

    fn pace(&mut self) -> Option<NonZeroU32> {
        let most = u64::from(u32::MAX);
        let pace = self.number("maxrequestspersecond", (0, most), 0);
        u32::try_from(pace).ok().and_then(NonZeroU32::new)
    }

    fn signatures(&mut self) {
        if self.flag("v4auth") == Some(false) {
            let message = "signatures of version 2 are not made: no store in use needs them";
            self.problem("v4auth", message, Some("remove it"));
        }
    }

    fn contradictions(&mut self, config: &S3Config) {
        if config.accelerate && config.path_style == Some(true) {
            let message = "cannot be with the bucket in the path (`forcepathstyle`, `pathstyle`)";
            self.problem("accelerate", message, Some("remove one of the two"));
        }
    }
}

/// Whether a text has the form of Amazon's regions; there are new ones every year.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_lowercase());
    let Some((number, words)) = parts.split_last() else { return false };
    REGION_PARTS.contains(&parts.len())
        && words.iter().all(is_word)
        && !number.is_empty()
        && number.bytes().all(|c| c.is_ascii_digit())
}
