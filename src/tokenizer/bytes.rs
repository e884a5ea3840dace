//! Bytes that tokens spell as characters.

/// The byte that a character of GPT-2's vocabulary spells: itself if it can be seen, else by its order from U+0100 on.
fn byte(character: char) -> Option<u8> {
    let byte = match u32::from(character) {
        code @ (0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF) => code,
        code @ 0x100..=0x120 => code - 0x100,
        code @ 0x121..=0x142 => code - 0x121 + 0x7F,
        0x143 => 0xAD,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// The byte of one of SentencePiece's tokens for bytes: `<0xE4>`.
pub fn fallback_byte(token: &str) -> Option<u8> {
    let hex = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (hex.len() == 2).then(|| u8::from_str_radix(hex, 16).ok()).flatten()
}

/// Bytes that the characters of `token` stand for; `None` if one stands for none.
pub fn spelled(token: &str) -> Option<Vec<u8>> {
    token.chars().map(byte).collect()
}

/// Bytes of a token whose characters stand for bytes. A token with any other character stands for itself.
pub fn of_characters(token: &str) -> Vec<u8> {
    spelled(token).unwrap_or_else(|| token.as_bytes().to_vec())
}

/// Text of a token by which it is known: bytes that are no UTF-8 as SentencePiece spells them, `<0xE4>`.
pub fn shown(bytes: &[u8]) -> String {
    let chunks = bytes.utf8_chunks().map(|chunk| {
        let rest: String = chunk.invalid().iter().map(|byte| format!("<0x{byte:02X}>")).collect();
        format!("{}{rest}", chunk.valid())
    });
    chunks.collect()
}
