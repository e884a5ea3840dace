//! What a text holds: its two parts, as characters, tokens or records.

use rand_chacha::ChaCha8Rng;

use crate::run::{Field, Record};
use crate::task::cut::{cut, of_tokens};
use crate::task::prefixes::Prefixes;
use crate::task::split::{Split, below, hold_out};
use crate::tokenizer::{TokenizeError, Tokenizer};

/// A text in two parts, to train on and to validate with.
#[derive(Clone, Debug)]
pub enum Content {
    Plain(Parts<char>),
    /// Plain text in tokens that are pieces of text.
    Tokens(Parts<u32>),
    /// Records, with the beginnings of those to train on.
    Records(Parts<Record>, Prefixes),
}

#[derive(Clone, Debug, Default)]
pub struct Parts<T> {
    pub train: Vec<T>,
    pub validation: Vec<T>,
}

impl<T> Parts<T> {
    pub fn of(&self, split: Split) -> &[T] {
        if split == Split::Train { &self.train } else { &self.validation }
    }

    fn all(&self) -> impl Iterator<Item = &T> {
        self.train.iter().chain(&self.validation)
    }
}

impl Content {
    /// Plain text, its last tenth held out.
    pub fn of_plain(text: &str) -> Self {
        let mut train: Vec<char> = text.chars().collect();
        let validation = train.split_off(train.len() - train.len() / 10);
        Self::Plain(Parts { train, validation })
    }

    /// Records, a tenth held out.
    ///
    /// # Errors
    /// A sentence, if none can be held out.
    pub fn of_records(records: Vec<Record>) -> Result<Self, String> {
        let keys: Vec<&str> = records.iter().map(|record| record.text.as_str()).collect();
        let held_out = hold_out(&keys);
        if !held_out.contains(&true) {
            return Err("the JSON holds one record only; add a different one, \
                        so that one can be trained on and one held out"
                .into());
        }
        let mut parts = Parts::default();
        for (record, held_out) in records.into_iter().zip(held_out) {
            if held_out { parts.validation.push(record) } else { parts.train.push(record) }
        }
        let prefixes = Prefixes::of_records(&parts.train);
        Ok(Self::Records(parts, prefixes))
    }

    /// Every character; none of tokens.
    pub fn characters(&self) -> Box<dyn Iterator<Item = char> + '_> {
        match self {
            Self::Plain(parts) => Box::new(parts.all().copied()),
            Self::Tokens(_) => Box::new(std::iter::empty()),
            Self::Records(parts, _) => Box::new(parts.all().flat_map(|record| record.text.chars())),
        }
    }

    /// The text to train on; empty of tokens.
    pub fn training_text(&self) -> String {
        match self {
            Self::Plain(parts) => parts.train.iter().collect(),
            Self::Tokens(_) => String::new(),
            Self::Records(parts, _) => {
                parts.train.iter().map(|record| record.text.as_str()).collect()
            }
        }
    }

    /// The same in tokens of `tokenizer`.
    ///
    /// # Errors
    /// The errors of [`Tokenizer::tokenize`].
    pub fn cut(self, tokenizer: &Tokenizer) -> Result<Self, TokenizeError> {
        let tokens = |part: Vec<char>| tokenizer.tokenize(&String::from_iter(part));
        let records = |part: Vec<Record>| -> Result<Vec<Record>, TokenizeError> {
            part.iter().map(|record| cut(record, tokenizer)).collect()
        };
        Ok(match self {
            Self::Plain(Parts { train, validation }) => {
                Self::Tokens(Parts { train: tokens(train)?, validation: tokens(validation)? })
            }
            Self::Tokens(parts) => Self::Tokens(parts),
            Self::Records(Parts { train, validation }, prefixes) => {
                let parts = Parts { train: records(train)?, validation: records(validation)? };
                Self::Records(parts, prefixes)
            }
        })
    }

    /// True if a part has nothing that could be predicted.
    pub fn is_too_short(&self) -> bool {
        match self {
            Self::Plain(parts) => parts.train.len().min(parts.validation.len()) < 2,
            Self::Tokens(parts) => parts.train.len().min(parts.validation.len()) < 2,
            Self::Records(..) => false,
        }
    }

    /// Length of the longest record, in symbols; 2 for plain text, of which a window is cut.
    pub fn longest(&self) -> usize {
        match self {
            Self::Plain(_) | Self::Tokens(_) => 2,
            Self::Records(parts, _) => parts.all().map(Record::len).max().unwrap_or(0),
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
            Self::Plain(parts) => {
                let mut record = Record::new();
                record.push(Field::Text, &String::from_iter(draw_window(parts.of(split), window, rng)));
                record
            }
            Self::Tokens(parts) => {
                let window = window.saturating_sub(tokenizer.start().len());
                of_tokens(draw_window(parts.of(split), window, rng), tokenizer)
            }
            Self::Records(parts, _) => {
                let part = parts.of(split);
                let mut record = part[below(rng, part.len())].clone();
                record.truncate(window);
                record
            }
        }
    }
}

/// At most `window` items of `part`, from anywhere on.
fn draw_window<'a, T>(part: &'a [T], window: usize, rng: &mut ChaCha8Rng) -> &'a [T] {
    let window = window.min(part.len());
    let start = below(rng, part.len() - window + 1);
    &part[start..start + window]
}
