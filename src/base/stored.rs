//! Numbers as they are stored, in memory or in a file.

/// A way to store numbers.
pub trait Format {
    /// One number.
    type Stored: Copy + Sync;

    /// The number in 32 bits, which is exact.
    fn widen(stored: Self::Stored) -> f32;

    fn is_finite(stored: Self::Stored) -> bool {
        Self::widen(stored).is_finite()
    }
}

/// 32 bits in memory.
pub struct F32;

/// 32 bits in a file, lowest byte first.
pub struct Le32;

/// IEEE's half precision in a file, lowest byte first.
pub struct F16;

/// The upper half of 32 bits (bfloat16) in a file, lowest byte first.
pub struct Bf16;

impl Format for F32 {
    type Stored = f32;

    #[inline(always)]
    fn widen(stored: f32) -> f32 {
        stored
    }
}

impl Format for Le32 {
    type Stored = [u8; 4];

    #[inline(always)]
    fn widen(stored: [u8; 4]) -> f32 {
        f32::from_le_bytes(stored)
    }
}

impl Format for F16 {
    type Stored = [u8; 2];

    /// Shifts the exponent into its place and multiplies by 2^112, the difference of both formats' biases. That holds
    /// for numbers below the smallest exponent too, and is a loop that compilers turn into SIMD.
    #[inline(always)]
    fn widen(stored: [u8; 2]) -> f32 {
        const SCALE: f32 = f32::from_bits((112 + 127) << 23);
        let bits = u32::from(u16::from_le_bytes(stored));
        let size = f32::from_bits((bits & 0x7fff) << 13) * SCALE;
        f32::from_bits(size.to_bits() | (bits & 0x8000) << 16)
    }

    fn is_finite(stored: [u8; 2]) -> bool {
        u16::from_le_bytes(stored) & 0x7c00 != 0x7c00
    }
}

impl Format for Bf16 {
    type Stored = [u8; 2];

    #[inline(always)]
    fn widen(stored: [u8; 2]) -> f32 {
        f32::from_bits(u32::from(u16::from_le_bytes(stored)) << 16)
    }
}
