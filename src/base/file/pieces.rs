//! Text of a file of UTF-8, read a piece at a time.

use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::Path;

use super::{FileLimit, check_regular};
use crate::base::hash::StableHash;

/// Bytes of a piece, about.
const PIECE: usize = 1 << 20;
/// Bytes at the end of a piece in which a blank to cut at is looked for.
const NEAR_END: usize = 1 << 12;

/// Pieces of a text, one after another, in the bytes of the file but for its mark in front. A piece ends before a blank
/// and a word, so that a tokenizer of words splits the pieces as it would split the whole.
pub struct TextPieces {
    file: File,
    of: FileLimit,
    rest: Vec<u8>,
    /// Bytes of the file that were given.
    given: u64,
    is_at_end: bool,
    hash: StableHash,
}

impl TextPieces {
    /// # Errors
    /// If it is no regular file, or larger than its kind may be.
    pub fn open(file: &Path, of: FileLimit) -> Result<Self> {
        check_regular(file, of)?;
        Ok(Self {
            file: File::open(file)?,
            of,
            rest: Vec::new(),
            given: 0,
            is_at_end: false,
            hash: StableHash::default(),
        })
    }

    /// Number and hash of the bytes so far: of the file, after the last piece.
    pub fn read_so_far(&self) -> (u64, u64) {
        (self.given + self.rest.len() as u64, self.hash.finish())
    }

    fn read(&mut self) -> Result<Option<String>> {
        if self.is_at_end {
            return Ok(None);
        }
        let old = self.rest.len();
        (&mut self.file).take(PIECE as u64).read_to_end(&mut self.rest)?;
        self.hash.push(&self.rest[old..]);
        self.is_at_end = self.rest.len() < old + PIECE;
        // It may grow meanwhile.
        let (bytes, _) = self.read_so_far();
        if bytes > self.of.max_bytes {
            return Err(self.of.refuse(&format!("{bytes} bytes long")));
        }
        if self.given == 0 && self.rest.starts_with(b"\xef\xbb\xbf") {
            self.given = 3;
            self.rest.drain(..3);
        }
        let valid = match str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            Err(why) if why.error_len().is_none() && !self.is_at_end => why.valid_up_to(),
            Err(why) => return Err(no_text(self.given + why.valid_up_to() as u64)),
        };
        let end = if self.is_at_end { valid } else { cut(&self.rest[..valid]) };
        let left = self.rest.split_off(end);
        let piece = std::mem::replace(&mut self.rest, left);
        self.given += end as u64;
        String::from_utf8(piece).map(Some).map_err(|_| no_text(self.given))
    }
}

impl Iterator for TextPieces {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn no_text(at: u64) -> Error {
    Error::other(format!(
        "it is no UTF-8 text from byte {at} on; a long text is read as UTF-8 only: convert it, for example with `iconv \
         -f UTF-16 -t UTF-8`"
    ))
}

/// The place to cut `text` at: before its last blank that a word follows, and not within a line end of Windows.
fn cut(text: &[u8]) -> usize {
    let is_cut =
        |at: &usize| matches!(text[*at], b' ' | b'\n') && !text[at + 1].is_ascii_whitespace();
    let last = text.len().saturating_sub(1);
    let found = (text.len().saturating_sub(NEAR_END)..last).rev().find(is_cut);
    let before_line_end =
        |at: usize| if text[at] == b'\n' && text[at - 1] == b'\r' { at - 1 } else { at };
    match found.filter(|at| *at > 1) {
        Some(at) => before_line_end(at),
        None if text.ends_with(b"\r") => last,
        None => text.len(),
    }
}
