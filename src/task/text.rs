//! The user's own text: plain, of which windows are cut, or JSON, which becomes records.

mod records;

use rand_chacha::ChaCha8Rng;

use super::ngram;
use super::prefixes::Prefixes;
use super::source::{RecordSource, has_answer, spelled};
use super::split::{Split, below, hold_out};
use crate::config::{MAX_TEXT_BYTES, TextConfig};
use crate::run::{Field, Floor, Record};
use crate::tokenizer::Tokenizer;

const MIN_CHARS: usize = 32;
/// Most characters of an alphabet: above this, the embedding would dwarf the model.
const MAX_ALPHABET: usize = 4096;

/// A text that has been read, with its last tenth, or a tenth of its records, held out.
#[derive(Clone, Debug)]
pub struct Text {
    alphabet: String,
    longest: usize,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Plain { train: Vec<char>, validation: Vec<char> },
    Records { train: Vec<Record>, validation: Vec<Record>, prefixes: Prefixes },
}

impl Text {
    /// # Errors
    /// A sentence that says what to do, if there is nothing in the text to train on.
    pub fn new(config: &TextConfig) -> Result<Self, String> {
        if config.text.len() > MAX_TEXT_BYTES {
            return Err(format!(
                "the text is {} bytes long; shorten it to {MAX_TEXT_BYTES} or less",
                config.text.len()
            ));
        }
        let text = config.text.replace("\r\n", "\n");
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        if text.trim().is_empty() {
            return Err("there is no text; paste or load one to train on".into());
        }
        let count = text.chars().count();
        if count < MIN_CHARS {
            return Err(format!(
                "the text is {count} characters long; give it {MIN_CHARS} or more"
            ));
        }
        match records::read(text)? {
            Some(records) => Self::of_records(records),
            None => Self::of_plain(text),
        }
    }

    /// The text of a model from elsewhere, which is not known: nothing to draw from.
    pub(super) fn none() -> Self {
        let content = Content::Plain { train: Vec::new(), validation: Vec::new() };
        Self { alphabet: String::new(), longest: 2, content }
    }

    fn of_plain(text: &str) -> Result<Self, String> {
        let alphabet = alphabet(text.chars())?;
        let mut train: Vec<char> = text.chars().collect();
        let validation = train.split_off(train.len() - train.len() / 10);
        Ok(Self { alphabet, longest: 2, content: Content::Plain { train, validation } })
    }

    fn of_records(records: Vec<Record>) -> Result<Self, String> {
        let alphabet = alphabet(records.iter().flat_map(|record| record.text.chars()))?;
        let longest = records.iter().map(Record::len).max().unwrap_or(0);
        let keys: Vec<&str> = records.iter().map(|record| record.text.as_str()).collect();
        let held_out = hold_out(&keys);
        if !held_out.contains(&true) {
            return Err("the JSON holds one record only; add a different one, \
                        so that one can be trained on and one held out"
                .into());
        }
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for (record, held_out) in records.into_iter().zip(held_out) {
            if held_out { validation.push(record) } else { train.push(record) }
        }
        let prefixes = Prefixes::of_records(&train);
        let content = Content::Records { train, validation, prefixes };
        Ok(Self { alphabet, longest, content })
    }

    /// The distinct characters of the text, sorted.
    pub fn alphabet(&self) -> &str {
        &self.alphabet
    }
}

impl RecordSource for Text {
    /// Draws a record of at most `window` characters: of plain text a window that begins anywhere
    /// in the split's part, of JSON a record, cut if it is longer.
    fn draw(&self, split: Split, window: usize, rng: &mut ChaCha8Rng) -> Record {
        let train = split == Split::Train;
        match &self.content {
            Content::Plain { train: part, validation } => {
                let part = if train { part } else { validation };
                let window = window.min(part.len());
                let start = below(rng, part.len() - window + 1);
                let mut record = Record::new();
                record.push(Field::Text, &part[start..start + window].iter().collect::<String>());
                record
            }
            Content::Records { train: part, validation, .. } => {
                let part = if train { part } else { validation };
                let mut record = part[below(rng, part.len())].clone();
                record.truncate(window);
                record
            }
        }
    }

    /// Length of the longest JSON record, in characters; 2 for plain text.
    fn longest(&self) -> usize {
        self.longest
    }

    fn floor(&self) -> Option<Floor> {
        match &self.content {
            Content::Plain { .. } => None,
            Content::Records { train, prefixes, .. } => Some(Floor::of_records(train, prefixes)),
        }
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        match &self.content {
            Content::Plain { .. } => 0.0,
            Content::Records { prefixes, .. } => {
                spelled(prefix, symbol, |prefix| prefixes.shares(prefix))
            }
        }
    }

    fn baseline(&self) -> Option<f64> {
        match &self.content {
            Content::Plain { train, validation } => ngram::loss(train, validation),
            Content::Records { .. } => None,
        }
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::new(&self.alphabet)
    }

    fn is_trained(&self, answer: &str) -> bool {
        match &self.content {
            Content::Plain { .. } => false,
            Content::Records { train, .. } => has_answer(train, answer),
        }
    }

    fn is_none(&self) -> bool {
        matches!(&self.content, Content::Plain { train, .. } if train.is_empty())
    }
}

fn alphabet(chars: impl Iterator<Item = char>) -> Result<String, String> {
    let distinct: std::collections::BTreeSet<char> = chars.collect();
    if distinct.len() > MAX_ALPHABET {
        return Err(format!(
            "the text has {} distinct characters; use one with {MAX_ALPHABET} or fewer",
            distinct.len()
        ));
    }
    Ok(distinct.into_iter().collect())
}
