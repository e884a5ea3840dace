//! Random characters, then the same again: what follows a character the second time is what
//! followed it the first, and nothing else tells. It takes two heads, one of which reads what the
//! other wrote (Olsson et al. 2022, "In-context Learning and Induction Heads").

use rand_chacha::ChaCha8Rng;

use super::floor::Sums;
use super::source::{RecordSource, spelled};
use super::split::{Split, below, stable_hash};
use crate::config::InductionConfig;
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;

const CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// The longest block.
const MAX: usize = 512;
/// The character between a block and the block again.
const SEPARATOR: char = '|';
const END: char = '\n';
/// One block in this many is held out for validation.
const HELD_OUT: u64 = 16;
/// More redraws than are ever needed, unless there are hardly any blocks.
const MAX_DRAWS: usize = 10_000;

/// `block|block`, the block of any length from the shortest to the longest: were it always the same,
/// a head could find what to copy by its distance.
#[derive(Clone, Debug)]
pub struct Induction {
    characters: Vec<char>,
    min_len: usize,
    max_len: usize,
}

impl Induction {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &InductionConfig) -> Self {
        let min_len = config.min_len.clamp(1, MAX);
        Self {
            characters: CHARACTERS.chars().take(config.characters.max(2)).collect(),
            min_len,
            max_len: config.max_len.clamp(min_len, MAX),
        }
    }

    fn block(&self, rng: &mut ChaCha8Rng) -> String {
        let length = self.min_len + below(rng, self.lengths());
        (0..length).map(|_| self.characters[below(rng, self.characters.len())]).collect()
    }

    /// Number of lengths a block may have.
    fn lengths(&self) -> usize {
        self.max_len - self.min_len + 1
    }

    /// Probability that a block ends after `length` characters, if it has so many.
    fn ends(&self, length: usize) -> f64 {
        match length.checked_sub(self.min_len) {
            Some(longer) if length <= self.max_len => 1.0 / (self.lengths() - longer) as f64,
            _ => 0.0,
        }
    }

    /// Characters that may follow `prefix`, each with its probability; none after what begins no record.
    fn next(&self, prefix: &str) -> Vec<(char, f64)> {
        let is_known = |text: &str| text.chars().all(|c| self.characters.contains(&c));
        match prefix.split_once(SEPARATOR) {
            None => {
                let length = prefix.chars().count();
                if !is_known(prefix) || length > self.max_len {
                    return Vec::new();
                }
                let ends = self.ends(length);
                let each = (1.0 - ends) / self.characters.len() as f64;
                let more = self.characters.iter().map(|c| (*c, each));
                more.chain([(SEPARATOR, ends)]).filter(|(_, p)| *p > 0.0).collect()
            }
            Some((block, again)) => {
                let is_block = is_known(block) && self.ends(block.chars().count()) > 0.0;
                match block.strip_prefix(again) {
                    Some(rest) if is_block => vec![(rest.chars().next().unwrap_or(END), 1.0)],
                    _ => Vec::new(),
                }
            }
        }
    }
}

impl RecordSource for Induction {
    /// Draws a record. Its split hangs on its block.
    fn draw(&self, split: Split, _window: usize, rng: &mut ChaCha8Rng) -> Record {
        let mut block = self.block(rng);
        for _ in 0..MAX_DRAWS {
            if split_of(&block) == split {
                break;
            }
            block = self.block(rng);
        }
        let mut record = Record::new();
        record.push(Field::Text, &block);
        record.push(Field::Separator, &SEPARATOR.to_string());
        record.push(Field::Answer, &block);
        record.push(Field::Marker, &END.to_string());
        record
    }

    fn longest(&self) -> usize {
        2 * self.max_len + 2
    }

    /// Cost of a block's length and of its characters, but for the first, which nothing predicts;
    /// what follows is known.
    fn floor(&self) -> Option<Floor> {
        let mut sums = Sums::default();
        let by_character = (self.characters.len() as f64).ln();
        let share = 1.0 / self.lengths() as f64;
        for length in self.min_len..=self.max_len {
            for index in 1..length {
                let goes_on = (1.0 - self.ends(index)).recip().ln();
                sums.add(Field::Text, share, share * (by_character + goes_on));
            }
            sums.add(Field::Separator, share, share * self.ends(length).recip().ln());
            sums.add(Field::Answer, share * length as f64, 0.0);
            sums.add(Field::Marker, share, 0.0);
        }
        Some(sums.floor())
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        spelled(prefix, symbol, |prefix| self.next(prefix))
    }

    fn tokenizer(&self) -> Tokenizer {
        let alphabet: String = self.characters.iter().chain(&[SEPARATOR, END]).collect();
        Tokenizer::new(&alphabet)
    }

    /// By its last character, or by its length where what is written goes wrong.
    fn is_at_end(&self, text: &str) -> bool {
        text.ends_with(END) || text.chars().count() >= self.longest()
    }

    fn separator(&self) -> Option<char> {
        Some(SEPARATOR)
    }
}

fn split_of(block: &str) -> Split {
    if stable_hash(block).is_multiple_of(HELD_OUT) { Split::Validation } else { Split::Train }
}
