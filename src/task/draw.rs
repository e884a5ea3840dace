//! Tasks as they are set up, and the records that they draw.

use rand_chacha::ChaCha8Rng;

use super::split::Split;
use super::{Facts, Induction, Modular, Phone, Text, facts, modular};
use crate::base::random::stream_rng;
use crate::config::TaskKind;
use crate::config::{ConfigError, TaskConfig};
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;

/// A task that has been set up from its [`TaskConfig`].
#[derive(Clone, Debug)]
pub enum Task {
    Phone(Phone),
    Facts(Facts),
    Text(Text),
    Induction(Induction),
    Modular(Modular),
}

impl Task {
    /// Sets up the task that `config` names.
    ///
    /// # Errors
    /// If the task has nothing to train on, such as an empty text.
    pub fn new(config: &TaskConfig) -> Result<Self, ConfigError> {
        Ok(match config.kind {
            TaskKind::Phone => Task::Phone(Phone::new(&config.phone)),
            TaskKind::Facts => Task::Facts(Facts::new(&config.facts)),
            TaskKind::Text => Task::Text(Text::new(&config.text).map_err(ConfigError::Task)?),
            TaskKind::Induction => Task::Induction(Induction::new(&config.induction)),
            TaskKind::Modular => Task::Modular(Modular::new(&config.modular)),
        })
    }

    /// The task of a model from elsewhere, whose training records are not known: every record is empty.
    pub fn none() -> Self {
        Task::Text(Text::none())
    }

    /// True if every record is empty.
    pub fn is_none(&self) -> bool {
        matches!(self, Task::Text(text) if text.is_none())
    }

    /// Draws one record of `split`. `window` is the longest wanted, in characters; it matters
    /// to plain text only, of which a window is cut.
    pub fn draw(&self, split: Split, window: usize, rng: &mut ChaCha8Rng) -> Record {
        match self {
            Task::Phone(task) => task.draw(split, rng),
            Task::Facts(task) => task.draw(split, rng),
            Task::Text(task) => task.draw(split, window, rng),
            Task::Induction(task) => task.draw(split, rng),
            Task::Modular(task) => task.draw(split, 1, rng).pop().unwrap_or_else(Record::new),
        }
    }

    /// Draws the records of a batch: as [`Task::draw`], but where there are few to draw from, none
    /// twice.
    pub fn draw_batch(
        &self,
        split: Split,
        window: usize,
        count: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Record> {
        match self {
            Task::Modular(task) => task.draw(split, count, rng),
            _ => (0..count).map(|_| self.draw(split, window, rng)).collect(),
        }
    }

    /// Length of the longest record, in characters; 2 for plain text, which is cut to any window.
    pub fn longest(&self) -> usize {
        match self {
            Task::Phone(task) => task.longest(),
            Task::Facts(task) => task.longest(),
            Task::Text(task) => task.longest(),
            Task::Induction(task) => task.longest(),
            Task::Modular(_) => modular::RECORD_LEN,
        }
    }

    /// The least loss that any model could reach on the records it trains on; `None` for plain
    /// text, whose source is not known: see [`Task::baseline`].
    pub fn floor(&self) -> Option<Floor> {
        match self {
            Task::Phone(task) => Some(task.floor()),
            Task::Facts(task) => {
                Some(Floor::of_records(task.records(Split::Train), task.prefixes()))
            }
            Task::Text(task) => {
                Some(Floor::of_records(task.records(Split::Train)?, task.prefixes()?))
            }
            Task::Induction(task) => Some(task.floor()),
            Task::Modular(_) => Some(modular::floor()),
        }
    }

    /// Characters that may follow `prefix`, a possible beginning of a training record, each with its
    /// probability. None at a record's end, after what is no such beginning, and for plain text.
    pub fn next(&self, prefix: &str) -> Vec<(char, f64)> {
        match self {
            Task::Phone(task) => task.next(prefix),
            Task::Facts(task) => task.prefixes().shares(prefix),
            Task::Text(task) => task.prefixes().map_or_else(Vec::new, |p| p.shares(prefix)),
            Task::Induction(task) => task.next(prefix),
            Task::Modular(task) => task.next(prefix),
        }
    }

    /// For plain text, the validation loss of an n-gram model, in nats per character: what
    /// counting alone reaches.
    pub fn baseline(&self) -> Option<f64> {
        match self {
            Task::Text(task) => task.baseline(),
            _ => None,
        }
    }

    /// The characters that records are made of.
    pub fn tokenizer(&self) -> Tokenizer {
        match self {
            Task::Phone(task) => Tokenizer::new(&task.alphabet()),
            Task::Facts(_) => Tokenizer::new(facts::ALPHABET),
            Task::Text(task) => Tokenizer::new(task.alphabet()),
            Task::Induction(task) => Tokenizer::new(&task.alphabet()),
            Task::Modular(task) => Tokenizer::new(&task.alphabet()),
        }
    }

    /// A prompt to try: a validation record up to where its answer begins.
    pub fn example_prompt(&self, seed: u64) -> String {
        let record = self.draw(Split::Validation, 64, &mut stream_rng(seed, EXAMPLE_STREAM));
        let cut = record.fields.iter().position(|field| *field == Field::Answer);
        let cut = cut.unwrap_or(record.len() / 2).max(1);
        record.text.chars().take(cut).collect()
    }
}

const EXAMPLE_STREAM: u64 = u64::MAX;
