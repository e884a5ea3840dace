//! The user's own text: plain, of which windows are cut, or JSON, which becomes records.

mod content;
mod records;

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;

use super::ngram;
use super::source::{RecordSource, has_answer, spelled};
use super::split::Split;
use crate::config::{MAX_TEXT_BYTES, TextConfig, TokenKind};
use crate::run::{Floor, Record};
use crate::tokenizer::{TokenizeError, Tokenizer};
use content::Content;

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
    /// A sentence that says what to do, if there is nothing in the text to train on, or a character that the model has no
    /// token for.
    pub fn new(config: &TextConfig, of_model: Option<&Tokenizer>) -> Result<Self, String> {
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
        let content = match records::read(text)? {
            Some(records) => Content::of_records(records)?,
            None => Content::of_plain(text),
        };
        let tokenizer = match (of_model, config.tokens) {
            (Some(tokenizer), _) => tokenizer.clone(),
            (None, TokenKind::Characters) => Tokenizer::new(&alphabet(content.characters())?),
            (None, TokenKind::Bpe) => Tokenizer::byte_pairs(&content.training_text(), config.vocab)?,
        };
        let content = match tokenizer.is_of_pieces() {
            true => content.cut(&tokenizer).map_err(|error| error.to_string())?,
            false => check_alphabet(content, &tokenizer)?,
        };
        if content.is_too_short() {
            return Err("the text has fewer than 2 tokens to validate with; give it more".into());
        }
        Ok(Self { tokenizer, content })
    }

    /// The text of a model from elsewhere, which is not known: nothing to draw from.
    pub(super) fn none() -> Self {
        Self { tokenizer: Tokenizer::new(""), content: Content::of_plain("") }
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
            Content::Records(parts, prefixes) if !self.tokenizer.is_of_pieces() => {
                Some(Floor::of_records(&parts.train, prefixes))
            }
            _ => None,
        }
    }

    fn probability(&self, prefix: &str, symbol: &str) -> f64 {
        match &self.content {
            Content::Records(_, prefixes) => {
                spelled(prefix, symbol, |prefix| prefixes.shares(prefix))
            }
            _ => 0.0,
        }
    }

    fn baseline(&self) -> Option<f64> {
        match &self.content {
            Content::Plain(parts) => ngram::loss(&parts.train, &parts.validation),
            _ => None,
        }
    }

    fn records(&self, split: Split) -> &[Record] {
        match &self.content {
            Content::Records(parts, _) => parts.of(split),
            _ => &[],
        }
    }

    fn tokenizer(&self) -> Tokenizer {
        self.tokenizer.clone()
    }

    fn is_trained(&self, answer: &str) -> bool {
        match &self.content {
            Content::Records(parts, _) => has_answer(&parts.train, answer),
            _ => false,
        }
    }

    fn is_none(&self) -> bool {
        matches!(&self.content, Content::Plain(parts) if parts.train.is_empty())
    }
}

/// Checks that `tokenizer` has a token for every character.
fn check_alphabet(content: Content, tokenizer: &Tokenizer) -> Result<Content, String> {
    let known: BTreeSet<char> = tokenizer.characters().collect();
    let unknown = content.characters().find(|character| !known.contains(character));
    match unknown {
        Some(character) => Err(TokenizeError::Unknown(character).to_string()),
        None => Ok(content),
    }
}

fn alphabet(chars: impl Iterator<Item = char>) -> Result<String, String> {
    let distinct: BTreeSet<char> = chars.collect();
    if distinct.len() > MAX_ALPHABET {
        return Err(format!(
            "the text has {} distinct characters; use one with {MAX_ALPHABET} or fewer",
            distinct.len()
        ));
    }
    Ok(distinct.into_iter().collect())
}
