//! Characters to ids and back.

use serde::{Deserialize, Serialize};

/// One id per character of an alphabet, in the alphabet's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokenizer {
    alphabet: Vec<char>,
}

/// A character that the alphabet lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the character {found:?} is not in this model's alphabet: {alphabet}")]
pub struct UnknownCharacter {
    pub found: char,
    pub alphabet: String,
}

impl Tokenizer {
    /// The distinct characters of `alphabet`, sorted.
    pub fn new(alphabet: &str) -> Self {
        let mut alphabet: Vec<char> = alphabet.chars().collect();
        alphabet.sort_unstable();
        alphabet.dedup();
        Self { alphabet }
    }

    /// In the order of their ids.
    pub fn characters(&self) -> impl Iterator<Item = char> {
        self.alphabet.iter().copied()
    }

    pub fn knows(&self, character: char) -> bool {
        self.alphabet.binary_search(&character).is_ok()
    }

    pub fn vocab_size(&self) -> usize {
        self.alphabet.len()
    }

    /// # Errors
    /// The first character of `text` that is not in the alphabet.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, UnknownCharacter> {
        text.chars()
            .map(|c| match self.alphabet.binary_search(&c) {
                Ok(id) => Ok(id as u32),
                Err(_) => {
                    Err(UnknownCharacter { found: c, alphabet: self.alphabet.iter().collect() })
                }
            })
            .collect()
    }

    /// The character of `id`; `None` for an id outside the vocabulary.
    pub fn character(&self, id: u32) -> Option<char> {
        self.alphabet.get(id as usize).copied()
    }

    /// The text of `ids`; ids outside the vocabulary are left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        ids.iter().filter_map(|id| self.character(*id)).collect()
    }
}
