//! Memory that a device offers.

/// Memory that a device offers, in all and to one buffer, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryLimits {
    pub total: u64,
    pub buffer: u64,
}
