//! The progress of a noise codec.

use serde::{Deserialize, Serialize};

use super::Score;

/// What a noise codec does after a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CodecPoint {
    /// Steps done.
    pub step: usize,
    /// Records read so far, again and again where they are limited.
    pub records: u64,
    /// Records for whose every token noise was found, of those that were fitted.
    pub fitted: Score,
    /// Draws of noise so far, and tokens that were drawn for.
    pub draws: (u64, u64),
    /// Contexts that the key layer holds.
    pub contexts: usize,
    /// Training records that are written from the input alone, to the letter.
    pub training: Score,
    pub held_out: HeldOut,
}

/// What a learner of mappings writes of held-out records, from the input alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeldOut {
    /// Records that are written to the letter.
    pub exact: Score,
    /// Edits that lead from what is written to what is wanted, and tokens that are wanted.
    pub edits: (usize, usize),
    /// Spaces that are right, that are written, and that are wanted.
    pub spaces: Spaces,
    /// Tokens read by the window whose noise they took, the shortest first; at the end those that no context was near.
    pub windows: Vec<u64>,
    /// Tokens that took the noise that those before them proposed, and none of a window's.
    pub past: u64,
}

/// Spaces of a text: right where as many letters are before them as before one that is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spaces {
    pub right: usize,
    pub written: usize,
    pub wanted: usize,
}

impl Spaces {
    /// The spaces of `written` beside those of `wanted`.
    pub fn of(written: &str, wanted: &str) -> Self {
        let (written, wanted) = (places(written), places(wanted));
        let right = written.iter().filter(|place| wanted.contains(place)).count();
        Self { right, written: written.len(), wanted: wanted.len() }
    }

    pub fn add_all(&mut self, other: &Self) {
        self.right += other.right;
        self.written += other.written;
        self.wanted += other.wanted;
    }

    /// Harmonic mean of precision and recall, 0 to 1; `None` where there is no space.
    pub fn f1(&self) -> Option<f64> {
        let all = self.written + self.wanted;
        (all > 0).then(|| 2.0 * self.right as f64 / all as f64)
    }
}

/// Letters before each space of a text.
fn places(text: &str) -> Vec<usize> {
    let mut letters = 0;
    let mut places = Vec::new();
    for character in text.chars() {
        match character {
            ' ' => places.push(letters),
            _ => letters += 1,
        }
    }
    places
}

impl HeldOut {
    /// 1 less the edits a wanted token, not below 0; `None` without records.
    pub fn accuracy(&self) -> Option<f64> {
        let (edits, of) = self.edits;
        (of > 0).then(|| (1.0 - edits as f64 / of as f64).max(0.0))
    }
}

impl CodecPoint {
    /// Draws of noise a token; `None` before any.
    pub fn draws_per_token(&self) -> Option<f64> {
        let (draws, tokens) = self.draws;
        (tokens > 0).then(|| draws as f64 / tokens as f64)
    }
}
