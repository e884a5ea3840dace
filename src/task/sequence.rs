//! Random characters, and the same again, forwards or backwards: everything of the output is known from the input.

use rand_chacha::ChaCha8Rng;

use super::blocks::Blocks;
use super::mapping::{self, END, EQUALS};
use super::source::{RecordSource, spelled};
use super::split::Split;
use crate::config::SequenceConfig;
use crate::run::{Floor, Found, Record};
use crate::tokenizer::Tokenizer;

/// Order of the characters in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Forwards,
    Backwards,
}

/// `block=block`, or `block=kcolb`.
#[derive(Clone, Debug)]
pub struct Sequence {
    blocks: Blocks,
    order: Order,
}

impl Sequence {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &SequenceConfig, order: Order) -> Self {
        let SequenceConfig { characters, min_len, max_len } = *config;
        Self { blocks: Blocks::new(characters, min_len, max_len), order }
    }

    fn output(&self, input: &str) -> String {
        match self.order {
            Order::Forwards => input.to_owned(),
            Order::Backwards => input.chars().rev().collect(),
        }
    }

    /// Characters that may follow `prefix`, each with its probability; none after what begins no record.
    fn next(&self, prefix: &str) -> Vec<(char, f64)> {
        let Some((input, written)) = prefix.split_once(EQUALS) else {
            return self.blocks.next(prefix, EQUALS);
        };
        match self.output(input).strip_prefix(written) {
            Some(rest) if self.blocks.is_block(input) => {
                vec![(rest.chars().next().unwrap_or(END), 1.0)]
            }
            _ => Vec::new(),
        }
    }
}

impl RecordSource for Sequence {
    /// Draws a record. Its split hangs on its input.
    fn draw(&self, split: Split, _window: usize, rng: &mut ChaCha8Rng) -> Record {
        let input = self.blocks.draw(split, rng);
        mapping::record(&input, &self.output(&input))
    }

    fn longest(&self) -> usize {
        2 * self.blocks.max_len + 2
    }

    /// Zero, for the input tells the output.
    fn floor(&self) -> Option<Floor> {
        let mean_len = (self.blocks.min_len + self.blocks.max_len) as f64 / 2.0;
        Some(mapping::floor(mean_len, 0.0, Found::Exactly))
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        spelled(prefix, symbol, |prefix| self.next(prefix))
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::new(&self.blocks.alphabet([EQUALS, END]))
    }

    fn is_at_end(&self, text: &str) -> bool {
        mapping::is_at_end(text, self.longest())
    }

    /// Between a block and the same block again; backwards there is none.
    fn separator(&self) -> Option<char> {
        (self.order == Order::Forwards).then_some(EQUALS)
    }
}
