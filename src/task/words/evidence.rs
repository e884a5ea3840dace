//! The probability of what is seen of a record: its letters, and as much as is known of its words.

use super::Words;
use super::belief::Belief;

/// Letters of a record, and what is known of their reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub letters: Vec<u8>,
    /// True for each letter that a word ends with, for as many of the first letters as it is known of.
    pub ends: Vec<bool>,
    /// Letters of the tags of the first words, for as many as are known; all ends are then known, too.
    pub tags: Vec<u8>,
    /// True if there are no further letters.
    pub is_whole: bool,
}

impl Evidence {
    /// Reads `text`, words with single spaces between, which may go on; `None` for other than that.
    pub fn of_text(text: &str) -> Option<Self> {
        let mut evidence = Self::default();
        for byte in text.bytes() {
            match byte {
                b' ' if evidence.ends.len() < evidence.letters.len() => evidence.ends.push(true),
                b'a'..=b'z' => {
                    evidence.ends.resize(evidence.letters.len(), false);
                    evidence.letters.push(byte);
                }
                _ => return None,
            }
        }
        Some(evidence)
    }
}

impl Words {
    /// Probability that a record has what is seen.
    pub fn probability(&self, seen: &Evidence) -> f64 {
        let mut belief = Belief::default();
        let mut words = 0;
        for (place, letter) in seen.letters.iter().enumerate() {
            let (_, mut starts) = self.turn(&belief, place);
            match place.checked_sub(1).and_then(|last| seen.ends.get(last)) {
                Some(true) => {
                    belief = Belief::default();
                    words += 1;
                }
                Some(false) => starts = Default::default(),
                None => {}
            }
            belief = belief.read(&self.trie, &starts).remove(letter).unwrap_or_default();
            if let Some(tag) = seen.tags.get(words) {
                belief.places.retain(|place| place.tag.letter() == *tag);
            }
        }
        let place = seen.letters.len();
        if place == 0 {
            return if seen.is_whole { 0.0 } else { 1.0 };
        }
        let (stop, starts) = self.turn(&belief, place);
        match seen.ends.get(place - 1) {
            _ if seen.is_whole => stop,
            Some(true) => starts.iter().sum(),
            Some(false) => 0.0,
            None => belief.weight(),
        }
    }
}
