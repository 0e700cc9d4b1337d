//! `jwks`: a JSON Web Key Set, RFC 7517, whose keys verify tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::{
    key::{Curve, NoKey, Public},
    keys::Keys,
};
use crate::{
    auth::{Unusable, refusal::excerpt, watched::Contents},
    config::Algorithm,
};

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// A key as it is written. Members that are not here, a private key's among them, are not even kept.
#[derive(Deserialize)]
struct Jwk {
    #[serde(default)]
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Adds the keys of a set to the keys.
pub(super) fn read(file: &Contents, keys: &mut Keys) -> Result<(), Unusable> {
    let set: Set = serde_json::from_slice(&file.bytes).map_err(|error| {
        // What the parser says may quote the file, and somebody may keep a private key in it.
        let place = format!("line {}, column {}", error.line(), error.column());
        Unusable::contents(&file.path, format!("is no JSON Web Key Set: {place}"))
    })?;
    for (index, jwk) in set.keys.iter().enumerate() {
        let kid = jwk.kid.as_deref().filter(|kid| !kid.is_empty());
        match jwk.public() {
            Ok((public, only)) => {
                let names = [Some(public.thumbprint()), kid.map(str::to_owned)];
                keys.add(public.into_key(only), names.into_iter().flatten());
            }
            Err(reason) => {
                let (file, kid) = (file.path.display(), kid.map(excerpt));
                tracing::warn!(%file, number = index + 1, kid, reason, "a key is left out");
            }
        }
    }
    Ok(())
}

impl Jwk {
    fn public(&self) -> Result<(Public, Option<Algorithm>), String> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Err("it is not for signatures".to_owned());
        }
        let only = match self.alg.as_deref() {
            None => None,
            Some(name) => {
                let found = Algorithm::ALL.into_iter().find(|known| known.as_str() == name);
                Some(found.ok_or("its algorithm is not one of those with a public key")?)
            }
        };
        let public = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Public::rsa(&number(&self.n)?, &number(&self.e)?),
            ("EC", Some("P-256")) => {
                Public::point(Curve::P256, &number(&self.x)?, &number(&self.y)?)
            }
            ("EC", Some("P-384")) => {
                Public::point(Curve::P384, &number(&self.x)?, &number(&self.y)?)
            }
            ("OKP", Some("Ed25519")) => Public::ed25519(&number(&self.x)?),
            ("oct", _) => {
                return Err("it is a shared secret, with which anybody could sign".to_owned());
            }
            _ => Err(NoKey::Type),
        };
        Ok((public.map_err(|error| error.to_string())?, only))
    }
}

fn number(text: &Option<String>) -> Result<Vec<u8>, String> {
    let text = text.as_deref().ok_or("a member is missing")?;
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| NoKey::Numbers.to_string())
}
