//! The user's own text: plain, of which windows are cut, or JSON, which becomes records.

mod content;
mod parts;
mod plain;
mod records;
mod source;

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;

use super::source::{RecordSource, has_answer, spelled};
use super::split::Split;
use crate::config::{TextConfig, TokenKind};
use crate::run::{Floor, Record};
use crate::tokenizer::{TokenizeError, Tokenizer};
use content::{Content, Records};
use parts::Parts;
use plain::Survey;
use source::Source;
#[cfg(not(target_family = "wasm"))]
pub use source::text_file;

const MIN_CHARS: usize = 32;
/// Most characters of an alphabet: above this, the embedding would dwarf the model.
const MAX_ALPHABET: usize = 4096;

/// A text that has been read, with its last tenth, or a tenth of its records, held out.
#[derive(Clone, Debug)]
pub struct Text {
    tokenizer: Tokenizer,
    content: Content,
}

impl Text {
    /// The text in tokens of its own, or in those of a model.
    ///
    /// # Errors
    /// A sentence that says what to do, if there is nothing in the text to train on, a character that the model has no
    /// token for, or no file of the name that the settings have.
    pub fn new(config: &TextConfig, of_model: Option<&Tokenizer>) -> Result<Self, String> {
        let source = Source::new(config)?;
        let survey = Survey::of(&source)?;
        if survey.characters.iter().all(|character| character.is_whitespace()) {
            return Err("there is no text; paste or load one to train on".into());
        }
        if survey.count < MIN_CHARS {
            return Err(format!(
                "the text is {} characters long; give it {MIN_CHARS} or more",
                survey.count
            ));
        }
        let text = match source.records()? {
            Some(records) => Self::of_records(Records::new(records)?, config, of_model)?,
            None => Self::of_plain(&source, &survey, config, of_model)?,
        };
        if text.content.is_too_short() {
            return Err("the text has fewer than 2 tokens to validate with; give it more".into());
        }
        Ok(text)
    }

    fn of_plain(
        source: &Source,
        survey: &Survey,
        config: &TextConfig,
        of_model: Option<&Tokenizer>,
    ) -> Result<Self, String> {
        let tokenizer = match (of_model, config.tokens) {
            (Some(tokenizer), _) => tokenizer.clone(),
            (None, TokenKind::Characters) => Tokenizer::new(&alphabet(survey.characters.clone())?),
            (None, TokenKind::Bpe) => plain::learn(source, survey.train, config.vocab)?,
        };
        let content = Content::Plain(plain::tokenize(source, &tokenizer, survey.train)?);
        Ok(Self { tokenizer, content })
    }

    fn of_records(
        records: Records,
        config: &TextConfig,
        of_model: Option<&Tokenizer>,
    ) -> Result<Self, String> {
        let tokenizer = match (of_model, config.tokens) {
            (Some(tokenizer), _) => tokenizer.clone(),
            (None, TokenKind::Characters) => {
                Tokenizer::new(&alphabet(records.characters().collect())?)
            }
            (None, TokenKind::Bpe) => {
                Tokenizer::byte_pairs(std::iter::once(records.training_text()), config.vocab)?
            }
        };
        let records = match tokenizer.is_of_pieces() {
            true => records.cut(&tokenizer).map_err(|error| error.to_string())?,
            false => check_alphabet(records, &tokenizer)?,
        };
        Ok(Self { tokenizer, content: Content::Records(records) })
    }

    /// The text of a model from elsewhere, which is not known: nothing to draw from.
    pub(super) fn none() -> Self {
        Self { tokenizer: Tokenizer::new(""), content: Content::Plain(Parts::default()) }
    }
}

impl RecordSource for Text {
    fn draw(&self, split: Split, window: usize, rng: &mut ChaCha8Rng) -> Record {
        self.content.draw(&self.tokenizer, split, window, rng)
    }

    fn longest(&self) -> usize {
        self.content.longest()
    }

    fn floor(&self) -> Option<Floor> {
        match &self.content {
            Content::Records(records) if !self.tokenizer.is_of_pieces() => {
                Some(Floor::of_records(&records.parts.train, &records.prefixes))
            }
            _ => None,
        }
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        match &self.content {
            Content::Records(records) => {
                spelled(prefix, symbol, |prefix| records.prefixes.shares(prefix))
            }
            Content::Plain(_) => 0.0,
        }
    }

    fn baseline(&self) -> Option<f64> {
        match &self.content {
            Content::Plain(parts) => plain::baseline(parts, &self.tokenizer),
            Content::Records(_) => None,
        }
    }

    fn records(&self, split: Split) -> &[Record] {
        match &self.content {
            Content::Records(records) => records.parts.of(split),
            Content::Plain(_) => &[],
        }
    }

    fn tokenizer(&self) -> Tokenizer {
        self.tokenizer.clone()
    }

    fn is_trained(&self, answer: &str) -> bool {
        match &self.content {
            Content::Records(records) => has_answer(&records.parts.train, answer),
            Content::Plain(_) => false,
        }
    }

    fn is_none(&self) -> bool {
        matches!(&self.content, Content::Plain(parts) if parts.train.len() == 0)
    }
}

/// Checks that `tokenizer` has a token for every character.
fn check_alphabet(records: Records, tokenizer: &Tokenizer) -> Result<Records, String> {
    let known: BTreeSet<char> = tokenizer.characters().collect();
    let unknown = records.characters().find(|character| !known.contains(character));
    match unknown {
        Some(character) => Err(TokenizeError::Unknown(character).to_string()),
        None => Ok(records),
    }
}

/// The characters of a tokenizer.
///
/// # Errors
/// If there are too many of them.
pub(super) fn alphabet(characters: BTreeSet<char>) -> Result<String, String> {
    match characters.len() {
        count if count > MAX_ALPHABET => Err(format!(
            "the text has {count} distinct characters; use one with {MAX_ALPHABET} or fewer"
        )),
        _ => Ok(characters.into_iter().collect()),
    }
}
