//! Blocks of random characters, and what a reader of one knows of its next character.

use rand_chacha::ChaCha8Rng;

use super::split::{Split, below, draw_of, split_of};

const CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// The longest block.
const MAX: usize = 512;

/// Blocks of any length from the shortest to the longest, each length as likely as the others. Were it always the same, a
/// head could find what to copy by its distance.
#[derive(Clone, Debug)]
pub struct Blocks {
    pub characters: Vec<char>,
    pub min_len: usize,
    pub max_len: usize,
}

impl Blocks {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(characters: usize, min_len: usize, max_len: usize) -> Self {
        let min_len = min_len.clamp(1, MAX);
        Self {
            characters: CHARACTERS.chars().take(characters.max(2)).collect(),
            min_len,
            max_len: max_len.clamp(min_len, MAX),
        }
    }

    /// Draws a block of `split`.
    pub fn draw(&self, split: Split, rng: &mut ChaCha8Rng) -> String {
        let draw = || {
            let length = self.min_len + below(rng, self.lengths());
            (0..length).map(|_| self.characters[below(rng, self.characters.len())]).collect()
        };
        draw_of(split, draw, |block: &String| split_of(block))
    }

    /// Number of lengths a block may have.
    pub fn lengths(&self) -> usize {
        self.max_len - self.min_len + 1
    }

    /// Probability that a block ends after `length` characters, if it has so many.
    pub fn ends(&self, length: usize) -> f64 {
        match length.checked_sub(self.min_len) {
            Some(longer) if length <= self.max_len => 1.0 / (self.lengths() - longer) as f64,
            _ => 0.0,
        }
    }

    /// True if `text` is a whole block.
    pub fn is_block(&self, text: &str) -> bool {
        self.is_known(text) && self.ends(text.chars().count()) > 0.0
    }

    fn is_known(&self, text: &str) -> bool {
        text.chars().all(|c| self.characters.contains(&c))
    }

    /// Characters that may follow `prefix` in a block that `separator` ends, each with its probability; none after what
    /// begins no block.
    pub fn next(&self, prefix: &str, separator: char) -> Vec<(char, f64)> {
        let length = prefix.chars().count();
        if !self.is_known(prefix) || length > self.max_len {
            return Vec::new();
        }
        let ends = self.ends(length);
        let each = (1.0 - ends) / self.characters.len() as f64;
        let more = self.characters.iter().map(|c| (*c, each));
        more.chain([(separator, ends)]).filter(|(_, p)| *p > 0.0).collect()
    }

    /// The characters of blocks and `others`, as the alphabet of a tokenizer.
    pub fn alphabet(&self, others: [char; 2]) -> String {
        self.characters.iter().chain(&others).collect()
    }
}
