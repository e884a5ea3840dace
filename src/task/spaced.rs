//! The user's own text, of which a model puts back the spaces.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;

use super::mapping::{self, END, EQUALS};
use super::source::RecordSource;
use super::split::{Split, below, hold_out};
use super::text::alphabet;
use crate::config::WordsConfig;
use crate::run::{Floor, Record};
use crate::tokenizer::Tokenizer;

/// Pieces of a text, each the output of a record whose input is its letters. A tenth is held out.
#[derive(Clone, Debug)]
pub struct Spaced {
    trained: Vec<Record>,
    held_out: Vec<Record>,
    tokenizer: Tokenizer,
    longest: usize,
}

impl Spaced {
    /// Cuts the text of `config` at its line ends, and longer lines after the word that reaches the letters at which a
    /// sentence must end. What is then a single word is left out, for it has no spaces.
    ///
    /// # Errors
    /// A sentence that says what to do, if there are fewer than two such pieces, or what no record can be written with.
    pub fn new(config: &WordsConfig) -> Result<Self, String> {
        let mut pieces = Vec::new();
        for (number, line) in (1..).zip(config.text.lines()) {
            if line.contains(EQUALS) {
                return Err(format!(
                    "line {number} of the text has a “{EQUALS}”, which stands between input and output; take it out"
                ));
            }
            cut(line, config.max_letters, &mut pieces);
        }
        let inputs: Vec<String> = pieces.iter().map(|piece| piece.replace(' ', "")).collect();
        if inputs.iter().all(|input| *input == inputs[0]) {
            return Err(
                "the text has fewer than two different lines of two words or more; give it more"
                    .into(),
            );
        }
        let characters = pieces.iter().flat_map(|piece| piece.chars());
        let characters: BTreeSet<char> = characters.chain([EQUALS, END]).collect();
        let (mut trained, mut held_out) = (Vec::new(), Vec::new());
        for ((piece, input), is_out) in pieces.iter().zip(&inputs).zip(hold_out(&inputs)) {
            let records = if is_out { &mut held_out } else { &mut trained };
            records.push(mapping::record(input, piece));
        }
        let longest = trained.iter().chain(&held_out).map(Record::len).max().unwrap_or(0);
        Ok(Self { trained, held_out, tokenizer: Tokenizer::new(&alphabet(characters)?), longest })
    }
}

/// Adds the pieces of `line` to `pieces`: its words with single spaces between.
fn cut(line: &str, max_letters: usize, pieces: &mut Vec<String>) {
    let (mut words, mut letters) = (Vec::new(), 0);
    let mut rest = line.split_whitespace().peekable();
    while let Some(word) = rest.next() {
        words.push(word);
        letters += word.chars().count();
        if letters >= max_letters || rest.peek().is_none() {
            if words.len() > 1 {
                pieces.push(words.join(" "));
            }
            words.clear();
            letters = 0;
        }
    }
}

impl RecordSource for Spaced {
    fn draw(&self, split: Split, _window: usize, rng: &mut ChaCha8Rng) -> Record {
        let records = self.records(split);
        records[below(rng, records.len())].clone()
    }

    fn longest(&self) -> usize {
        self.longest
    }

    /// None, for the source of the text is not known.
    fn floor(&self) -> Option<Floor> {
        None
    }

    fn probability(&self, _prefix: &str, _symbol: &str) -> f64 {
        0.0
    }

    fn records(&self, split: Split) -> &[Record] {
        if split == Split::Train { &self.trained } else { &self.held_out }
    }

    fn tokenizer(&self) -> Tokenizer {
        self.tokenizer.clone()
    }

    fn is_at_end(&self, text: &str) -> bool {
        mapping::is_at_end(text, self.longest())
    }
}
