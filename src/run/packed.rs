//! Weights as text, for links.

use serde::{Deserialize, Serialize};

/// Most parameters that are packed.
pub const MAX_PACKED: usize = 45_000;
/// Characters of as many: two bytes each, and four characters for three bytes.
pub const MAX_PACKED_CHARS: usize = (2 * MAX_PACKED).div_ceil(3) * 4;

/// Weights of a model after a step, rounded to 16 bits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Packed {
    pub step: usize,
    /// Half-precision floats in little endian, one after another, in the URL-safe alphabet of Base64 without padding.
    pub numbers: String,
}

impl Packed {
    /// Reads `STEP.NUMBERS`; `None` if it is not of this form, or longer than any that is written.
    pub fn parse(text: &str) -> Option<Self> {
        let (step, numbers) = text.split_once('.')?;
        let is_written = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        let is_whole = numbers.len() <= MAX_PACKED_CHARS && numbers.bytes().all(is_written);
        is_whole.then_some(Self { step: step.parse().ok()?, numbers: numbers.into() })
    }
}

impl std::fmt::Display for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.step, self.numbers)
    }
}
