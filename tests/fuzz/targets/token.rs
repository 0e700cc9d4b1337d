//! No token is believed that no trusted key signed, no key set makes the reader panic, and why a token is refused is short.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use registry::parse::TokenReader;

/// The example of RFC 7517, appendix A.1: keys whose private halves nobody has here.
const JWKS: &[u8] = br#"{"keys": [
{"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig",
 "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
{"kty": "OKP", "crv": "Ed25519", "kid": "2", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

static READER: LazyLock<TokenReader> =
    LazyLock::new(|| TokenReader::new(JWKS).expect("the keys are right"));

/// When the tokens of the seeds count.
const NOW: i64 = 1_700_000_000;

const MAX_MESSAGE_BYTES: usize = 1_000;

fuzz_target!(|input: (&str, &str, &str, &[u8])| {
    let (header, claims, signature, jwks) = input;
    let encoded = format!("{}.{}.{signature}", encode(header), encode(claims));
    for token in [format!("{header}.{claims}.{signature}"), encoded] {
        let refusal = READER.refusal(&token, NOW).expect("nobody has signed this");
        assert!(refusal.len() < MAX_MESSAGE_BYTES, "{refusal}");
        assert!(!refusal.contains(char::is_control), "{refusal:?}");
    }
    let _reader = TokenReader::new(jwks);
});

fn encode(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut encoded = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for index in 0..=three.len() {
            let six = (bits >> (18 - 6 * index)) & 63;
            encoded.push(char::from(LETTERS[six as usize]));
        }
    }
    encoded
}
