//! Base64 as libtrust reads and writes it: for URLs, without padding.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};

/// Go's decoder ignores bits that nobody needs.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn encode(bytes: &[u8]) -> String {
    general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what may be broken into lines.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r');
    let bytes: Vec<u8> = text.bytes().filter(|byte| !is_blank(byte)).collect();
    LENIENT.decode(bytes).ok()
}
