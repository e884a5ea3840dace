//! Plain text in tokens: its beginning to train on, its last tenth to validate with.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;

use super::parts::Parts;
use super::source::Source;
use crate::run::{Field, Record};
use crate::task::cut::of_tokens;
use crate::task::ngram;
use crate::task::split::{Split, below};
use crate::tokenizer::Tokenizer;

/// Tokens, in 2 bytes each where they fit.
#[derive(Clone, Debug)]
pub enum Ids {
    Small(Vec<u16>),
    Large(Vec<u32>),
}

impl Ids {
    fn new(tokenizer: &Tokenizer) -> Self {
        match tokenizer.vocab_size() <= usize::from(u16::MAX) + 1 {
            true => Self::Small(Vec::new()),
            false => Self::Large(Vec::new()),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Small(ids) => ids.len(),
            Self::Large(ids) => ids.len(),
        }
    }

    fn push(&mut self, more: &[u32]) {
        match self {
            Self::Small(ids) => ids.extend(more.iter().map(|id| *id as u16)),
            Self::Large(ids) => ids.extend(more),
        }
    }

    fn range(&self, from: usize, to: usize) -> Vec<u32> {
        match self {
            Self::Small(ids) => ids[from..to].iter().map(|id| u32::from(*id)).collect(),
            Self::Large(ids) => ids[from..to].to_vec(),
        }
    }

    /// At most `window` tokens, from anywhere on.
    fn window(&self, window: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
        let window = window.min(self.len());
        let start = below(rng, self.len() - window + 1);
        self.range(start, start + window)
    }
}

impl Default for Parts<Ids> {
    fn default() -> Self {
        Self { train: Ids::Small(Vec::new()), validation: Ids::Small(Vec::new()) }
    }
}

/// Numbers of a text that decide how it is cut.
pub struct Survey {
    pub characters: BTreeSet<char>,
    /// Characters of the text, and those to train on.
    pub count: usize,
    pub train: usize,
}

impl Survey {
    /// # Errors
    /// As of [`Source::pieces`].
    pub fn of(source: &Source) -> Result<Self, String> {
        let (mut characters, mut count) = (BTreeSet::new(), 0);
        for piece in source.pieces() {
            for character in piece?.chars() {
                count += 1;
                characters.insert(character);
            }
        }
        Ok(Self { characters, count, train: count - count / 10 })
    }
}

/// Pieces of the text, cut where the part to train on ends.
fn parts<'a>(
    source: &'a Source,
    train: usize,
) -> impl Iterator<Item = Result<(Split, String), String>> + Send + 'a {
    let mut left = train;
    source.pieces().flat_map(move |piece| match piece {
        Err(why) => vec![Err(why)],
        Ok(mut piece) => {
            let end = piece.char_indices().nth(left).map_or(piece.len(), |(end, _)| end);
            let validation = piece.split_off(end);
            left -= piece.chars().count();
            let parts = [(Split::Train, piece), (Split::Validation, validation)];
            parts.into_iter().filter(|(_, text)| !text.is_empty()).map(Ok).collect()
        }
    })
}

/// Byte pairs learned from the first `train` characters, at most `vocab` tokens.
///
/// # Errors
/// The errors of [`Source::pieces`] and of [`Tokenizer::byte_pairs`].
pub fn learn(source: &Source, train: usize, vocab: usize) -> Result<Tokenizer, String> {
    let mut failed = None;
    let pieces = parts(source, train).map_while(|part| match part {
        Ok((Split::Train, text)) => Some(text),
        Ok((Split::Validation, _)) => None,
        Err(why) => {
            failed = Some(why);
            None
        }
    });
    let tokenizer = Tokenizer::byte_pairs(pieces, vocab)?;
    failed.map_or(Ok(tokenizer), Err)
}

/// The text in tokens, the first `train` characters to train on.
///
/// # Errors
/// The errors of [`Source::pieces`] and of [`Tokenizer::tokenize`].
pub fn tokenize(
    source: &Source,
    tokenizer: &Tokenizer,
    train: usize,
) -> Result<Parts<Ids>, String> {
    let mut out = Parts { train: Ids::new(tokenizer), validation: Ids::new(tokenizer) };
    for part in parts(source, train) {
        let (split, text) = part?;
        let ids = if split == Split::Train { &mut out.train } else { &mut out.validation };
        // A tokenizer that puts a space before every text does so between two pieces.
        let is_going_on = ids.len() > 0 && tokenizer.has_first_space();
        let text = if is_going_on { text.strip_prefix(' ').unwrap_or(&text) } else { &text };
        ids.push(&tokenizer.tokenize(text).map_err(|why| why.to_string())?);
    }
    Ok(out)
}

/// Draws a window of at most `window` symbols, from anywhere on.
pub fn draw(part: &Ids, tokenizer: &Tokenizer, window: usize, rng: &mut ChaCha8Rng) -> Record {
    if tokenizer.is_of_pieces() {
        let window = window.saturating_sub(tokenizer.start().len());
        return of_tokens(&part.window(window, rng), tokenizer);
    }
    let mut record = Record::new();
    record.push(Field::Text, &tokenizer.decode(&part.window(window, rng)));
    record
}

/// Validation loss of an n-gram model of characters, in nats per character; `None` of other tokens.
pub fn baseline(parts: &Parts<Ids>, tokenizer: &Tokenizer) -> Option<f64> {
    if tokenizer.is_of_pieces() {
        return None;
    }
    let characters = |ids: Vec<u32>| -> Vec<char> { tokenizer.decode(&ids).chars().collect() };
    let Parts { train, validation } = parts;
    let counted = train.range(train.len().saturating_sub(ngram::MAX_COUNTED), train.len());
    let predicted = validation.range(0, validation.len().min(ngram::MAX_PREDICTED));
    ngram::loss(&characters(counted), &characters(predicted))
}
