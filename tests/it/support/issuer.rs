//! An issuer of tokens, as GitLab Rails is one: RS256, the key named as libtrust does, no certificates.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, PublicKeyData as _, RsaKeySize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A key with its certificate.
pub(crate) struct Issuer {
    key: KeyPair,
    certificate: rcgen::Certificate,
}

/// The header without which an issuer gives no token; none for one that gives them to anybody.
type Credentials = Option<String>;

impl Issuer {
    pub(crate) const NAME: &'static str = "gitlab-issuer";
    /// The name of the registry.
    pub(crate) const SERVICE: &'static str = "container_registry";

    pub(crate) fn new() -> Self {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        Self { key, certificate }
    }

    /// The key in PEM.
    pub(crate) fn key(&self) -> String {
        self.key.serialize_pem()
    }

    /// The certificate in PEM.
    pub(crate) fn certificate(&self) -> String {
        self.certificate.pem()
    }

    /// The certificate as a token's header has it.
    pub(crate) fn chain(&self) -> Vec<String> {
        vec![STANDARD.encode(self.certificate.der())]
    }

    /// The public key in DER.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// The key's name: base32 of 240 bits of its hash, in groups of four.
    pub(crate) fn key_name(&self) -> String {
        let hash = Sha256::digest(self.public_key());
        let bits: String = hash[..30].iter().map(|byte| format!("{byte:08b}")).collect();
        let letter = |five: &[u8]| {
            let value = u8::from_str_radix(std::str::from_utf8(five).unwrap(), 2).unwrap();
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(value)])
        };
        let letters: Vec<char> = bits.as_bytes().chunks(5).map(letter).collect();
        let groups: Vec<String> = letters.chunks(4).map(|four| four.iter().collect()).collect();
        groups.join(":")
    }

    /// A token for some actions on some repositories, as Rails signs it.
    pub(crate) fn token(&self, access: &[(&str, &[&str])]) -> String {
        self.sign(&claims(access))
    }

    /// A token that claims this.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.key_name()), ..Header::new(Algorithm::RS256) };
        self.sign_with(&header, claims)
    }

    /// A token with this header.
    pub(crate) fn sign_with(&self, header: &Header, claims: &Value) -> String {
        let pem = self.key.serialize_pem();
        encode(header, claims, &EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()).unwrap()
    }

    /// Gives tokens for whatever scope is asked for, over HTTP; returns the realm.
    ///
    /// The thread ends with the process.
    pub(crate) fn serve(self: &Arc<Self>) -> String {
        self.serve_with(loopback(), None)
    }

    /// The same for one user only.
    pub(crate) fn serve_to(self: &Arc<Self>, user: &str, password: &str) -> String {
        self.serve_on(loopback(), user, password)
    }

    /// The same, where that listens.
    pub(crate) fn serve_on(
        self: &Arc<Self>,
        listener: TcpListener,
        user: &str,
        password: &str,
    ) -> String {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        let credentials = format!("authorization: basic {}", credentials.to_lowercase());
        self.serve_with(listener, Some(credentials))
    }

    fn serve_with(self: &Arc<Self>, listener: TcpListener, credentials: Credentials) -> String {
        let realm = format!("http://{}/jwt/auth", listener.local_addr().unwrap());
        let issuer = Arc::clone(self);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that has gone is no reason to end.
                let _ = issuer.answer(stream.unwrap(), credentials.as_deref());
            }
        });
        realm
    }

    fn answer(&self, stream: TcpStream, credentials: Option<&str>) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        let mut is_known = credentials.is_none();
        for line in lines {
            let line = line?;
            if line.is_empty() {
                break;
            }
            // The case of letters is nobody's secret here.
            is_known |= Some(line.to_lowercase().as_str()) == credentials;
        }
        if !is_known {
            return write!(
                &stream,
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"GitLab\"\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
        let query = request.split(['?', ' ']).nth(2).unwrap_or_default();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let scopes = pairs.filter(|(name, _)| *name == "scope").map(|(_, value)| {
            value.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",").replace("%2A", "*")
        });
        let scopes: Vec<String> = scopes.collect();
        let access: Vec<Value> = scopes
            .iter()
            .flat_map(|scopes| scopes.split(['+', ' ']))
            .filter_map(|scope| {
                let [kind, name, actions] = scope.split(':').collect::<Vec<_>>().try_into().ok()?;
                let actions: Vec<_> = actions.split(',').collect();
                Some(json!({ "type": kind, "name": name, "actions": actions }))
            })
            .collect();
        let mut claims = claims(&[]);
        claims["access"] = Value::Array(access);
        let body = json!({ "token": self.sign(&claims) }).to_string();
        let length = body.len();
        write!(
            &stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
    }
}

/// What a good token claims.
pub(crate) fn claims(access: &[(&str, &[&str])]) -> Value {
    let access: Vec<_> = access
        .iter()
        .map(|(name, actions)| match *name {
            "catalog" => json!({ "type": "registry", "name": name, "actions": actions }),
            name => json!({ "type": "repository", "name": name, "actions": actions }),
        })
        .collect();
    let now = now();
    json!({
        "iss": Issuer::NAME, "aud": Issuer::SERVICE, "sub": "ann", "jti": "1",
        "iat": now, "nbf": now - 5, "exp": now + 300, "access": access,
    })
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn loopback() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}
