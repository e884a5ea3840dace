//! Bytes that tokens spell as characters.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The byte that each character of GPT-2's vocabulary spells: itself if it can be seen, else by its order from U+0100
/// on.
static BYTE_ALPHABET: LazyLock<HashMap<char, u8>> =
    LazyLock::new(|| characters().zip(0..=u8::MAX).collect());

/// The characters that spell the bytes, in the order of the bytes.
pub fn characters() -> impl Iterator<Item = char> {
    let mut unseen = '\u{100}'..;
    (0..=u8::MAX).filter_map(move |byte| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => Some(char::from(byte)),
        _ => unseen.next(),
    })
}

/// The byte of one of SentencePiece's tokens for bytes: `<0xE4>`.
pub fn fallback_byte(token: &str) -> Option<u8> {
    let hex = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (hex.len() == 2).then(|| u8::from_str_radix(hex, 16).ok()).flatten()
}

/// Bytes of a token whose characters stand for bytes. A token with any other character stands for itself.
pub fn of_characters(token: &str) -> Vec<u8> {
    let bytes: Option<Vec<u8>> = token.chars().map(|c| BYTE_ALPHABET.get(&c).copied()).collect();
    bytes.unwrap_or_else(|| token.as_bytes().to_vec())
}
