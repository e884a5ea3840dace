//! The trait that every task implements.

use std::any::Any;
use std::fmt::Debug;

use rand_chacha::ChaCha8Rng;

use super::split::Split;
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;

/// End mark of a record.
const END: &str = "{E}";

/// A source of records, with all that a task knows of them.
pub trait RecordSource: Any + Debug + Send + Sync {
    /// Draws one record of `split`. `window` is the longest wanted, in symbols; it matters
    /// to plain text only, of which a window is cut.
    fn draw(&self, split: Split, window: usize, rng: &mut ChaCha8Rng) -> Record;

    /// Draws the records of a batch: as [`draw`](Self::draw), but where there are few to draw from, none
    /// twice.
    fn draw_batch(
        &self,
        split: Split,
        window: usize,
        count: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Record> {
        (0..count).map(|_| self.draw(split, window, rng)).collect()
    }

    /// Length of the longest record, in symbols; 2 for plain text, which is cut to any window.
    fn longest(&self) -> usize;

    /// The least loss that any model could reach on the records it trains on; `None` for plain
    /// text, whose source is not known: see [`baseline`](Self::baseline).
    fn floor(&self) -> Option<Floor>;

    /// Probability that `symbol` follows `prefix` in a training record. 0 where it never does, after what begins no
    /// record, and where what follows is not known: for plain text, and where targets are other symbols than the next.
    fn probability(&self, prefix: &str, symbol: &str) -> f64;

    /// Validation loss of an n-gram model on plain text, in nats per character: what counting alone
    /// reaches.
    fn baseline(&self) -> Option<f64> {
        None
    }

    /// Every record of `split`, each with its category if it has one; none where they are drawn without an end.
    fn records(&self, _split: Split) -> &[Record] {
        &[]
    }

    /// Tokenizer of the symbols that records are made of.
    fn tokenizer(&self) -> Tokenizer;

    /// The character between a block and the same block again, in a record that repeats one.
    fn separator(&self) -> Option<char> {
        None
    }

    /// Unusual prompts, each with a name, made from two held-out records.
    fn odd_prompts(&self, _record: &Record, _other: &Record) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The answer in `written`, the text that a model wrote after a prompt, with what may follow it.
    fn answer<'a>(&self, written: &'a str) -> &'a str {
        written
    }

    /// Place of the first symbol that a question leaves to be answered.
    fn answer_start(&self, record: &Record) -> Option<usize> {
        record.fields.iter().position(|field| *field == Field::Answer)
    }

    /// True if records are to be known by heart, so that those held out cannot be answered.
    fn is_by_heart(&self) -> bool {
        false
    }

    /// True if `text`, a prompt and what was written after it, has come to the end of a record.
    fn is_at_end(&self, text: &str) -> bool {
        text.ends_with(END)
    }

    /// True if a training record has `answer`, so that a model may know it by heart.
    fn is_trained(&self, _answer: &str) -> bool {
        false
    }

    /// True if every record is empty, because nothing is known of them.
    fn is_none(&self) -> bool {
        false
    }
}

/// True if one of `records` has `answer`.
pub(super) fn has_answer(records: &[Record], answer: &str) -> bool {
    records.iter().any(|record| record.part(Field::Answer) == answer)
}

/// Probability of the characters of `symbol` one after another, after `prefix`, where `next` lists the characters that
/// may follow a text.
pub(super) fn spelled(prefix: &str, symbol: &str, next: impl Fn(&str) -> Vec<(char, f64)>) -> f64 {
    let mut read = prefix.to_owned();
    let mut product = 1.0;
    for character in symbol.chars() {
        let found = next(&read).into_iter().find(|(other, _)| *other == character);
        product *= found.map_or(0.0, |(_, probability)| probability);
        read.push(character);
    }
    product
}
