//! Numbers and texts in the bytes of a pickle.

use std::str::from_utf8;

/// Reason for which bytes that end before the pickle does are not read.
pub const ENDS_EARLY: &str = "it ends too early";

/// Bytes still to be read.
#[derive(Default)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ENDS_EARLY)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N).map(|bytes| *bytes.as_array().expect("as many were taken"))
    }

    pub fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// A number of `width` bytes, up to eight, without a sign.
    pub fn length(&mut self, width: usize) -> Result<usize, String> {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u64::from_le_bytes(wide)).map_err(|_| "a length is too great".into())
    }

    /// The bytes after a length of `width` bytes.
    pub fn counted(&mut self, width: usize) -> Result<&'a [u8], String> {
        let length = self.length(width)?;
        self.take(length)
    }

    pub fn line(&mut self) -> Result<&'a str, String> {
        let end = self.0.iter().position(|byte| *byte == b'\n').ok_or(ENDS_EARLY)?;
        let line = self.take(end)?;
        self.take(1)?;
        from_utf8(line).map_err(|_| "a name is no UTF-8".into())
    }
}
