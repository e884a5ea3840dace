//! Format of a file: its version, and its numbers as bytes.

/// Version that this program writes and reads.
pub const FORMAT: &str = "confab.1";

pub fn to_le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub fn from_le_bytes(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks::<4>();
    values.iter().map(|value| f32::from_le_bytes(*value)).collect()
}
