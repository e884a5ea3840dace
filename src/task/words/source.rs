//! The tasks that are made of sentences.

use std::sync::OnceLock;

use rand_chacha::ChaCha8Rng;

use super::Words;
use super::evidence::Evidence;
use super::floor::{Seen, Size};
use super::sentence::Sentence;
use super::vocabulary::LETTERS;
use super::{spacing, tagging};
use crate::base::random::stream_rng;
use crate::config::WordsConfig;
use crate::run::{Floor, Found, Record};
use crate::task::mapping::{self, END, EQUALS};
use crate::task::source::RecordSource;
use crate::task::split::{Split, draw_of, split_of};
use crate::tokenizer::Tokenizer;

/// Most beliefs that a floor is counted over: a second of work.
const MAX_STATES: usize = 200_000;
/// Records that a floor is estimated from, where there are more beliefs.
const ESTIMATED_RECORDS: usize = 2_000;
/// Stream of these records.
const ESTIMATE_STREAM: u64 = u64::MAX / 3;

/// Output that a record asks for, from part of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its text, of its letters without spaces.
    Spaces,
    /// The letters of its tags, of its text.
    Tags,
}

/// Sentences of a made-up language, of which a model is asked for one thing.
#[derive(Debug)]
pub struct Sentences {
    words: Words,
    asked: Asked,
    /// The floor, once it was asked for: it takes time.
    floor: OnceLock<Floor>,
}

impl Sentences {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &WordsConfig, asked: Asked) -> Self {
        Self { words: Words::new(config), asked, floor: OnceLock::new() }
    }

    /// The words, each with the classes that it is in: nouns, verbs and adjectives.
    pub fn vocabulary(&self) -> impl Iterator<Item = (&str, [bool; 3])> {
        self.words.vocabulary()
    }

    fn input(&self, sentence: &Sentence) -> String {
        match self.asked {
            Asked::Spaces => sentence.text.replace(' ', ""),
            Asked::Tags => sentence.text.clone(),
        }
    }

    /// Reads the evidence on a sentence from the beginning of its record; `None` if no record begins so.
    fn read(&self, begun: &str) -> Option<Evidence> {
        let (input, output) = match begun.split_once(EQUALS) {
            Some((input, output)) => (input, Some(output)),
            None => (begun, None),
        };
        match self.asked {
            Asked::Spaces => spacing::read(input, output),
            Asked::Tags => tagging::read(input, output),
        }
    }

    /// Probability that a record begins so.
    fn begins(&self, begun: &str) -> f64 {
        self.read(begun).map_or(0.0, |seen| self.words.probability(&seen))
    }

    fn record(&self, sentence: &Sentence) -> Record {
        let output = match self.asked {
            Asked::Spaces => &sentence.text,
            Asked::Tags => &sentence.tags,
        };
        mapping::record(&self.input(sentence), output)
    }

    /// Entropy of an output whose input is known, in nats, counted over at most `max_states` beliefs; `None` if there are
    /// more.
    pub fn count(&self, max_states: usize) -> Option<(f64, Found)> {
        let words = self.words.entropy_of_words(Seen::Words, max_states)?;
        let (output, input) = match self.asked {
            Asked::Spaces => (words, self.words.entropy_of_letters(max_states)?),
            Asked::Tags => (self.words.entropy_of_words(Seen::WordsAndTags, max_states)?, words),
        };
        let found = Found::Counted { states: output.states + input.states };
        // Rounding may leave less than nothing.
        Some(((output.nats - input.nats).max(0.0), found))
    }

    /// The same, as the mean of what the outputs of drawn records cost.
    pub fn estimate(&self, records: usize) -> (f64, Found) {
        let rng = &mut stream_rng(0, ESTIMATE_STREAM);
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..records {
            let record = self.record(&self.words.draw(rng));
            let given: String = record.symbols().take(record.given).collect();
            let cost = (self.begins(&given) / self.begins(&record.text)).ln();
            sum += cost;
            squares += cost * cost;
        }
        let count = records as f64;
        let mean = sum / count;
        let variance = (squares / count - mean * mean).max(0.0);
        let standard_error = (variance / (count - 1.0)).sqrt();
        (mean, Found::Estimated { records, standard_error })
    }
}

impl RecordSource for Sentences {
    /// Draws a record. Its split hangs on its input.
    fn draw(&self, split: Split, _window: usize, rng: &mut ChaCha8Rng) -> Record {
        let split_of = |sentence: &Sentence| split_of(&self.input(sentence));
        self.record(&draw_of(split, || self.words.draw(rng), split_of))
    }

    fn longest(&self) -> usize {
        let (letters, words) = (self.words.longest(), self.words.most_words());
        let text = letters + words - 1;
        match self.asked {
            Asked::Spaces => letters + text + 2,
            Asked::Tags => text + words + 2,
        }
    }

    /// Entropy of the output whose input is known, exact up to 200,000 beliefs.
    fn floor(&self) -> Option<Floor> {
        let find = || {
            let counted = self.count(MAX_STATES);
            let (nats, found) = counted.unwrap_or_else(|| self.estimate(ESTIMATED_RECORDS));
            let Size { letters, words } = self.words.size();
            let chars = match self.asked {
                Asked::Spaces => letters + words - 1.0,
                Asked::Tags => words,
            };
            mapping::floor(chars, nats, found)
        };
        Some(self.floor.get_or_init(find).clone())
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        let before = self.begins(prefix);
        if before > 0.0 {
            // Rounding may make a certain symbol more than that.
            (self.begins(&format!("{prefix}{symbol}")) / before).min(1.0)
        } else {
            0.0
        }
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::new(&format!("{LETTERS} {EQUALS}{END}"))
    }

    fn is_at_end(&self, text: &str) -> bool {
        mapping::is_at_end(text, self.longest())
    }
}
