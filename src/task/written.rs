//! A task that the user writes, as a grammar.

use std::sync::OnceLock;

use rand_chacha::ChaCha8Rng;

use super::grammar::{Counted, Grammar};
use super::source::{RecordSource, spelled};
use super::split::Split;
use crate::base::random::stream_rng;
use crate::config::GrammarConfig;
use crate::run::{Field, Floor, Found, Record};
use crate::tokenizer::Tokenizer;

/// Most states that a floor is counted over.
const MAX_STATES: usize = 100_000;
/// Most records that a floor is estimated from, where there are more states.
const ESTIMATED_RECORDS: usize = 10_000;
/// Most ways to write a text that are followed at once.
const MAX_DERIVATIONS: usize = 2_000;
/// Stream of the records that a floor is estimated from.
const ESTIMATE_STREAM: u64 = u64::MAX / 3;
/// More draws than are needed, unless hardly any record has a character to predict.
const MAX_DRAWS: usize = 1_000;

/// Records that a grammar draws. Those of validation are drawn alike, so a short one may be trained on too.
#[derive(Debug)]
pub struct Written {
    grammar: Grammar,
    /// The floor or why it is not known, once it was asked for: it takes time.
    floor: OnceLock<Result<Floor, String>>,
}

impl Written {
    /// # Errors
    /// A sentence with the line of the grammar that is at fault.
    pub fn new(config: &GrammarConfig) -> Result<Self, String> {
        let grammar = Grammar::parse(&config.text).map_err(|refusal| refusal.to_string())?;
        let task = Self { grammar, floor: OnceLock::new() };
        match task.find(&mut stream_rng(0, 0)) {
            Some(_) => Ok(task),
            None => Err("no character of a record is predicted: the first never is, nor is what is given; write \
                         more into `record`"
                .into()),
        }
    }

    /// A record with a character to predict, if there is one.
    fn find(&self, rng: &mut ChaCha8Rng) -> Option<Record> {
        let mut records = (0..MAX_DRAWS).map(|_| Record::from(self.grammar.draw(rng)));
        records.find(|record| record.len() > record.given)
    }

    /// The floor, exact up to 100,000 states.
    ///
    /// # Errors
    /// A sentence on why it can be neither counted nor estimated.
    pub fn find_floor(&self) -> Result<Floor, String> {
        self.floor.get_or_init(|| self.count()).clone()
    }

    fn count(&self) -> Result<Floor, String> {
        let (floor, found) = match self.grammar.floor(MAX_STATES) {
            Counted::Exactly { floor, states } => (floor, Found::Counted { states }),
            Counted::Beyond => {
                let mut rng = stream_rng(0, ESTIMATE_STREAM);
                let estimate =
                    self.grammar.estimate(ESTIMATED_RECORDS, MAX_DERIVATIONS, &mut rng);
                let estimate = estimate.map_err(|refusal| refusal.to_string())?;
                let (records, standard_error) = (estimate.records, estimate.record.error);
                (estimate.floor(), Found::Estimated { records, standard_error })
            }
        };
        Ok(Floor { found, ..floor.by_field() })
    }

    /// Characters that may follow `prefix` if the record goes on, each with its probability.
    fn next(&self, prefix: &str) -> Vec<(char, f64)> {
        let next = self.grammar.next(prefix, MAX_DERIVATIONS).unwrap_or_default();
        let characters = next.into_iter().filter_map(|(c, p)| Some((c?, p)));
        let characters: Vec<(char, f64)> = characters.collect();
        let goes_on: f64 = characters.iter().map(|(_, p)| p).sum();
        characters.into_iter().map(|(c, p)| (c, p / goes_on)).collect()
    }
}

impl RecordSource for Written {
    fn draw(&self, _split: Split, _window: usize, rng: &mut ChaCha8Rng) -> Record {
        self.find(rng).unwrap_or_default()
    }

    fn longest(&self) -> usize {
        self.grammar.longest()
    }

    fn floor(&self) -> Option<Floor> {
        self.find_floor().ok()
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        spelled(prefix, symbol, |prefix| self.next(prefix))
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::new(&self.grammar.alphabet().iter().collect::<String>())
    }

    /// The first after the record's first symbol, for a question has a symbol at least.
    fn answer_start(&self, record: &Record) -> Option<usize> {
        let answer = record.fields.iter().skip(1).position(|field| *field == Field::Answer);
        answer.map(|place| place + 1)
    }

    /// Where nothing may follow, or at the length of the longest record where what is written is none.
    fn is_at_end(&self, text: &str) -> bool {
        match self.grammar.next(text, MAX_DERIVATIONS) {
            Some(next) if !next.is_empty() => next.iter().all(|(c, _)| c.is_none()),
            _ => text.chars().count() >= self.longest(),
        }
    }
}
