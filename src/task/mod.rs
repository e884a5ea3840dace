//! What a model is trained on. A task draws **records** from a seeded generator, says which field
//! each character belongs to, and keeps validation records apart by construction.

mod facts;
pub mod floor;
mod ngram;
mod phone;
mod prefixes;
mod probe;
mod split;
mod text;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, TaskConfig};
use crate::tokenizer::Tokenizer;

pub use facts::Facts;
pub use floor::{FieldFloor, Floor};
pub use phone::{Phone, UNKNOWN};
pub use probe::{Probe, Source};
pub use text::Text;

/// Which task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    #[default]
    Phone,
    Facts,
    Text,
}

impl TaskKind {
    pub const NAMES: &'static [&'static str] = &["phone", "facts", "text"];

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "phone" => Some(Self::Phone),
            "facts" => Some(Self::Facts),
            "text" => Some(Self::Text),
            _ => None,
        }
    }
}

/// What the line after the separator of a `phone` record repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecallRule {
    /// One of the listed lines, number and all: it can be recalled.
    #[default]
    True,
    /// A listed name with a *fresh* number, as the published generator drew it: it cannot.
    AsPublished,
}

impl RecallRule {
    pub const NAMES: &'static [&'static str] = &["true", "as_published"];
}

/// What a character of a record is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// `{B}`, `{E}` and the line breaks that belong to them.
    Marker,
    /// What is fixed by the format: colons, hyphens, spaces, `=========`.
    Separator,
    Name,
    Digit,
    Question,
    Fact,
    /// What is asked for: the recalled name and number, or the answer.
    Answer,
    /// A character of free text.
    Text,
}

impl Field {
    /// As it is written in JSON: `separator`.
    pub fn name(self) -> &'static str {
        match self {
            Field::Marker => "marker",
            Field::Separator => "separator",
            Field::Name => "name",
            Field::Digit => "digit",
            Field::Question => "question",
            Field::Fact => "fact",
            Field::Answer => "answer",
            Field::Text => "text",
        }
    }
}

/// Training records or held-out ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    Train,
    Validation,
}

/// One example of a task, `{B}…{E}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub text: String,
    /// One field per character of `text`.
    pub fields: Vec<Field>,
    /// `facts` only: the category of the question.
    pub category: Option<String>,
}

impl Record {
    /// An empty record, to be grown with [`Record::push`].
    pub fn new() -> Self {
        Self { text: String::new(), fields: Vec::new(), category: None }
    }

    /// Appends `text`, all of whose characters belong to `field`.
    pub fn push(&mut self, field: Field, text: &str) {
        self.text.push_str(text);
        self.fields.extend(text.chars().map(|_| field));
    }

    /// The characters of `field`, joined.
    pub fn part(&self, field: Field) -> String {
        let characters = self.text.chars().zip(&self.fields);
        characters.filter(|(_, of)| **of == field).map(|(character, _)| character).collect()
    }

    /// Length in characters, which is its length in tokens.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}

/// A task that has been set up from its [`TaskConfig`].
#[derive(Clone, Debug)]
pub enum Task {
    Phone(Phone),
    Facts(Facts),
    Text(Text),
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
        })
    }

    /// Draws one record of `split`. `window` is the longest wanted, in characters; it matters
    /// to plain text only, of which a window is cut.
    pub fn draw(&self, split: Split, window: usize, rng: &mut ChaCha8Rng) -> Record {
        match self {
            Task::Phone(task) => task.draw(split, rng),
            Task::Facts(task) => task.draw(split, rng),
            Task::Text(task) => task.draw(split, window, rng),
        }
    }

    /// Length of the longest record, in characters; 2 for plain text, which is cut to any window.
    pub fn longest(&self) -> usize {
        match self {
            Task::Phone(task) => task.longest(),
            Task::Facts(task) => task.longest(),
            Task::Text(task) => task.longest(),
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
        }
    }

    /// What may follow `prefix`, a possible beginning of a training record, each with its
    /// probability. Empty at a record's end, after what is no such beginning, and for plain text.
    pub fn next(&self, prefix: &str) -> Vec<(char, f64)> {
        match self {
            Task::Phone(task) => task.next(prefix),
            Task::Facts(task) => task.prefixes().shares(prefix),
            Task::Text(task) => task.prefixes().map_or_else(Vec::new, |p| p.shares(prefix)),
        }
    }

    /// For plain text, the validation loss of an n-gram model, in nats per character: what
    /// counting alone reaches.
    pub fn baseline(&self) -> Option<f64> {
        match self {
            Task::Phone(_) | Task::Facts(_) => None,
            Task::Text(task) => task.baseline(),
        }
    }

    /// The characters that records are made of.
    pub fn tokenizer(&self) -> Tokenizer {
        match self {
            Task::Phone(task) => Tokenizer::new(&task.alphabet()),
            Task::Facts(_) => Tokenizer::new(facts::ALPHABET),
            Task::Text(task) => Tokenizer::new(task.alphabet()),
        }
    }

    /// A prompt to try: a validation record up to where its answer begins.
    pub fn example_prompt(&self, seed: u64) -> String {
        let record = self.draw(Split::Validation, 64, &mut record_rng(seed, EXAMPLE_STREAM));
        let cut = record.fields.iter().position(|field| *field == Field::Answer);
        let cut = cut.unwrap_or(record.len() / 2).max(1);
        record.text.chars().take(cut).collect()
    }
}

const EXAMPLE_STREAM: u64 = u64::MAX;

/// The generator of micro-batch `stream` of a run with `seed`. Each batch has a stream of its
/// own, so that a run resumed at any step draws what it would have drawn.
pub fn record_rng(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}
