//! A token of an issuer whose certificate both registries know, made by openssl as administrators make theirs.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::sys::{file, program};

const ISSUER: &str = "bench";
const SERVICE: &str = "registry";
/// Longer than any run.
const VALID_FOR: Duration = Duration::from_secs(24 * 3600);

/// Makes a key in `folder`, and returns what config.yml says of it and a token for `repository`.
pub(crate) fn issue(folder: &Path, repository: &str) -> Result<(String, String)> {
    let folder = folder.join("token");
    fs::create_dir_all(&folder)
        .with_context(|| format!("failed to create `{}`", folder.display()))?;
    let path = |name: &str| folder.join(name).display().to_string();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let request =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bench", "-days", "2"];
    program::output("openssl", &[&request[..], &["-keyout", &key, "-out", &certificate]].concat())?;
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("it is after 1970")?;
    let signed = format!(
        "{}.{}",
        encode(&header(&certificate)?, &folder)?,
        encode(&claims(repository, now), &folder)?
    );
    let (text, signature) = (path("signed"), path("signature"));
    file::write(Path::new(&text), &signed)?;
    program::output("openssl", &["dgst", "-sha256", "-sign", &key, "-out", &signature, &text])?;
    let token = format!("{signed}.{}", base64(&signature)?);
    Ok((config(&certificate), token))
}

fn config(certificate: &str) -> String {
    let bundle = Value::from(certificate);
    format!(
        "auth:\n  token:\n    realm: http://127.0.0.1/token\n    service: {SERVICE}\n    \
         issuer: {ISSUER}\n    rootcertbundle: {bundle}\n"
    )
}

/// The certificate stands in the token: that is the form that every version of the peer knows the key by.
fn header(certificate: &str) -> Result<Value> {
    let pem = file::read(certificate)?;
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Ok(json!({ "typ": "JWT", "alg": "RS256", "x5c": [der] }))
}

fn claims(repository: &str, now: Duration) -> Value {
    let actions = ["pull", "push"];
    json!({
        "iss": ISSUER,
        "aud": SERVICE,
        "sub": "bench",
        "jti": "bench",
        "iat": now.as_secs(),
        "nbf": now.as_secs(),
        "exp": (now + VALID_FOR).as_secs(),
        "access": [{ "type": "repository", "name": repository, "actions": actions }],
    })
}

fn encode(value: &Value, folder: &Path) -> Result<String> {
    let path = folder.join("part");
    file::write(&path, &value.to_string())?;
    base64(&path.display().to_string())
}

/// Returns what a file holds as tokens spell it.
fn base64(path: &str) -> Result<String> {
    let text = program::output("openssl", &["base64", "-A", "-in", path])?;
    Ok(text.trim().trim_end_matches('=').replace('+', "-").replace('/', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_in_the_alphabet_of_urls() {
        let folder = std::env::temp_dir().join(format!("xtask-token-{}", std::process::id()));
        let (config, token) = issue(&folder, "a/b").unwrap();
        assert!(config.contains("certificate.pem\""), "{config}");
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        assert_eq!(token.split('.').filter(|part| part.chars().all(fine)).count(), 3, "{token}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
