//! Scores of mappings: outputs compared with the wanted ones.

use serde::{Deserialize, Serialize};

use super::Score;

/// Scores of training records and of held-out ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MappingReport {
    pub trained: Mapped,
    pub held_out: Mapped,
}

impl MappingReport {
    pub fn add(&mut self, other: &Self) {
        self.trained.add(&other.trained);
        self.held_out.add(&other.held_out);
    }
}

/// Scores of outputs that are written from the input alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mapped {
    /// Records that are written to the letter.
    pub exact: Score,
    /// Edits between the outputs and the wanted ones, and length of the wanted ones: in tokens for a codec, else in
    /// characters.
    pub edits: (usize, usize),
    /// Spaces that are right, that are written, and that are wanted.
    pub spaces: Spaces,
    /// Tokens that a codec read, by the window of their known context, the shortest first; at the end those without
    /// one.
    pub windows: Vec<u64>,
    /// Tokens that took the noise that past noises proposed, in place of a window's.
    pub past: u64,
}

/// Spaces of a text. One is right if as many letters are before it as before a wanted one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spaces {
    pub right: usize,
    pub written: usize,
    pub wanted: usize,
}

impl Spaces {
    /// Compares the spaces of `written` with those of `wanted`.
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

/// Number of letters before each space of a text.
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

impl Mapped {
    /// Scores the text `written` against the one `wanted`.
    #[cfg(feature = "compute")]
    pub fn of(written: &str, wanted: &str) -> Self {
        let mut exact = Score::default();
        exact.add(written == wanted);
        let edits = (strsim::levenshtein(written, wanted), wanted.chars().count());
        Self { exact, edits, spaces: Spaces::of(written, wanted), ..Self::default() }
    }

    pub fn add(&mut self, other: &Self) {
        self.exact.add_all(&other.exact);
        self.edits.0 += other.edits.0;
        self.edits.1 += other.edits.1;
        self.spaces.add_all(&other.spaces);
        self.past += other.past;
        let longest = self.windows.len().max(other.windows.len());
        self.windows.resize(longest, 0);
        self.windows.iter_mut().zip(&other.windows).for_each(|(count, other)| *count += other);
    }

    /// 1 less the edits a wanted token or character, not below 0; `None` if nothing is wanted.
    pub fn accuracy(&self) -> Option<f64> {
        let (edits, of) = self.edits;
        (of > 0).then(|| (1.0 - edits as f64 / of as f64).max(0.0))
    }
}
