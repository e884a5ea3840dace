//! Content of a text: its two parts, in tokens or as records.

use rand_chacha::ChaCha8Rng;

use super::parts::Parts;
use super::plain::{self, Ids};
use crate::run::Record;
use crate::task::cut::cut;
use crate::task::prefixes::Prefixes;
use crate::task::split::{Split, below, hold_out};
use crate::tokenizer::{TokenizeError, Tokenizer};

/// A text in two parts, to train on and to validate with.
#[derive(Clone, Debug)]
pub enum Content {
    Plain(Parts<Ids>),
    Records(Records),
}

/// Records in two parts, with the beginnings of those to train on.
#[derive(Clone, Debug)]
pub struct Records {
    pub parts: Parts<Vec<Record>>,
    pub prefixes: Prefixes,
}

impl Records {
    /// Records, a tenth held out.
    ///
    /// # Errors
    /// A sentence, if none can be held out.
    pub fn new(records: Vec<Record>) -> Result<Self, String> {
        let keys: Vec<&str> = records.iter().map(|record| record.text.as_str()).collect();
        let held_out = hold_out(&keys);
        if !held_out.contains(&true) {
            return Err("the JSON holds one record only; add a different one, \
                        so that one can be trained on and one held out"
                .into());
        }
        let mut parts = Parts { train: Vec::new(), validation: Vec::new() };
        for (record, held_out) in records.into_iter().zip(held_out) {
            if held_out { parts.validation.push(record) } else { parts.train.push(record) }
        }
        let prefixes = Prefixes::of_records(&parts.train);
        Ok(Self { parts, prefixes })
    }

    fn all(&self) -> impl Iterator<Item = &Record> {
        self.parts.train.iter().chain(&self.parts.validation)
    }

    pub fn characters(&self) -> impl Iterator<Item = char> {
        self.all().flat_map(|record| record.text.chars())
    }

    /// The text to train on.
    pub fn training_text(&self) -> String {
        self.parts.train.iter().map(|record| record.text.as_str()).collect()
    }

    /// The same in tokens of `tokenizer`.
    ///
    /// # Errors
    /// The errors of [`Tokenizer::tokenize`].
    pub fn cut(self, tokenizer: &Tokenizer) -> Result<Self, TokenizeError> {
        let Parts { train, validation } = self.parts;
        let cut = |part: Vec<Record>| -> Result<Vec<Record>, TokenizeError> {
            part.iter().map(|record| cut(record, tokenizer)).collect()
        };
        Ok(Self {
            parts: Parts { train: cut(train)?, validation: cut(validation)? },
            prefixes: self.prefixes,
        })
    }
}

impl Content {
    /// True if a part has nothing that could be predicted.
    pub fn is_too_short(&self) -> bool {
        match self {
            Self::Plain(parts) => parts.train.len().min(parts.validation.len()) < 2,
            Self::Records(_) => false,
        }
    }

    /// Length of the longest record, in symbols; 2 for plain text, of which a window is cut.
    pub fn longest(&self) -> usize {
        match self {
            Self::Plain(_) => 2,
            Self::Records(records) => records.all().map(Record::len).max().unwrap_or(0),
        }
    }

    /// Draws a record of at most `window` symbols: of plain text a window that begins anywhere in the split's part, of
    /// JSON a record, cut if it is longer.
    pub fn draw(
        &self,
        tokenizer: &Tokenizer,
        split: Split,
        window: usize,
        rng: &mut ChaCha8Rng,
    ) -> Record {
        match self {
            Self::Plain(parts) => plain::draw(parts.of(split), tokenizer, window, rng),
            Self::Records(records) => {
                let part = records.parts.of(split);
                let mut record = part[below(rng, part.len())].clone();
                record.truncate(window);
                record
            }
        }
    }
}
