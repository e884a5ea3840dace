//! Random characters, then the same again: what follows a character the second time is what
//! followed it the first, and nothing else tells. It takes two heads, one of which reads what the
//! other wrote (Olsson et al. 2022, "In-context Learning and Induction Heads").

use rand_chacha::ChaCha8Rng;

use super::blocks::Blocks;
use super::floor::Sums;
use super::source::{RecordSource, spelled};
use super::split::Split;
use crate::config::InductionConfig;
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;

/// The character between a block and the block again.
const SEPARATOR: char = '|';
const END: char = '\n';

/// `block|block`.
#[derive(Clone, Debug)]
pub struct Induction {
    blocks: Blocks,
}

impl Induction {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &InductionConfig) -> Self {
        let InductionConfig { characters, min_len, max_len } = *config;
        Self { blocks: Blocks::new(characters, min_len, max_len) }
    }

    /// Characters that may follow `prefix`, each with its probability; none after what begins no record.
    fn next(&self, prefix: &str) -> Vec<(char, f64)> {
        let Some((block, again)) = prefix.split_once(SEPARATOR) else {
            return self.blocks.next(prefix, SEPARATOR);
        };
        match block.strip_prefix(again) {
            Some(rest) if self.blocks.is_block(block) => {
                vec![(rest.chars().next().unwrap_or(END), 1.0)]
            }
            _ => Vec::new(),
        }
    }
}

impl RecordSource for Induction {
    /// Draws a record. Its split hangs on its block.
    fn draw(&self, split: Split, _window: usize, rng: &mut ChaCha8Rng) -> Record {
        let block = self.blocks.draw(split, rng);
        let mut record = Record::new();
        record.push(Field::Text, &block);
        record.push(Field::Separator, &SEPARATOR.to_string());
        record.push(Field::Answer, &block);
        record.push(Field::Marker, &END.to_string());
        record
    }

    fn longest(&self) -> usize {
        2 * self.blocks.max_len + 2
    }

    /// Cost of a block's length and of its characters, but for the first, which nothing predicts;
    /// what follows is known.
    fn floor(&self) -> Option<Floor> {
        let mut sums = Sums::default();
        let by_character = (self.blocks.characters.len() as f64).ln();
        let share = 1.0 / self.blocks.lengths() as f64;
        for length in self.blocks.min_len..=self.blocks.max_len {
            for index in 1..length {
                let goes_on = (1.0 - self.blocks.ends(index)).recip().ln();
                sums.add(Field::Text, share, share * (by_character + goes_on));
            }
            sums.add(Field::Separator, share, share * self.blocks.ends(length).recip().ln());
            sums.add(Field::Answer, share * length as f64, 0.0);
            sums.add(Field::Marker, share, 0.0);
        }
        Some(sums.floor())
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        spelled(prefix, symbol, |prefix| self.next(prefix))
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::new(&self.blocks.alphabet([SEPARATOR, END]))
    }

    /// By its last character, or by its length where what is written goes wrong.
    fn is_at_end(&self, text: &str) -> bool {
        text.ends_with(END) || text.chars().count() >= self.longest()
    }

    fn separator(&self) -> Option<char> {
        Some(SEPARATOR)
    }
}
