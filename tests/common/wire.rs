//! Messages of a run and of a program that lends it a device, as they go over the wire.

/// The first bytes of a connection, from each side.
pub const MAGIC: &[u8] = b"confab01";

/// A message as it goes over the wire.
pub fn framed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
}
