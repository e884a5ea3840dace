//! Text to ids and back.

mod source;

use serde::{Deserialize, Serialize};

use crate::config::MAX_MEMORY_TOKENS;
use source::Source;

/// Tokenizer with one id per token. Models trained here have a token per character of an alphabet; imported models
/// have tokens for pieces of text. Memory tokens may follow an alphabet: learned tokens before every input, and in
/// no text (Burtsev et al. 2020, "Memory Transformer").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Tokenizer {
    /// Tokens by id, memory tokens last.
    tokens: Vec<String>,
    memory_tokens: usize,
    /// Ids of text tokens, in the order of their texts, for binary search.
    by_text: Vec<u32>,
    /// Length of the longest text token, in bytes.
    longest: usize,
    is_alphabet: bool,
    /// Tokenizer of the model's makers, if known.
    source: Option<Source>,
}

/// Form in a checkpoint.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Characters {
        alphabet: Vec<char>,
        #[serde(default, skip_serializing_if = "is_none")]
        memory_tokens: usize,
    },
    Tokens {
        tokens: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Source>,
    },
}

fn is_none(memory_tokens: &usize) -> bool {
    *memory_tokens == 0
}

/// A character that no token begins with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this model has never seen “{}”", .found.escape_debug())]
pub struct UnknownCharacter {
    pub found: char,
}

impl Tokenizer {
    /// Tokenizer of the distinct characters of `alphabet`, sorted.
    pub fn new(alphabet: &str) -> Self {
        let mut alphabet: Vec<char> = alphabet.chars().collect();
        alphabet.sort_unstable();
        alphabet.dedup();
        Written::Characters { alphabet, memory_tokens: 0 }.into()
    }

    /// The same alphabet followed by `count` memory tokens, at most [`MAX_MEMORY_TOKENS`]; pieces of text have
    /// none.
    pub fn with_memory(self, count: usize) -> Self {
        match self.into() {
            Written::Characters { alphabet, .. } => {
                Written::Characters { alphabet, memory_tokens: count }.into()
            }
            pieces => pieces.into(),
        }
    }

    /// Tokenizer of pieces of text, by id, with their `tokenizer.json` if there is one.
    pub fn of_tokens(tokens: Vec<String>, json: Option<String>) -> Self {
        Written::Tokens { tokens, source: json.map(Source::new) }.into()
    }

    /// True if each token is a character.
    pub fn is_alphabet(&self) -> bool {
        self.is_alphabet
    }

    /// Characters of an alphabet, in the order of their ids.
    pub fn characters(&self) -> impl Iterator<Item = char> {
        self.text_tokens().iter().filter_map(|token| token.chars().next())
    }

    pub fn knows(&self, character: char) -> bool {
        self.find(character.encode_utf8(&mut [0; 4])).is_some()
    }

    /// Number of tokens, memory tokens included.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// Number of text tokens, which have the first ids.
    pub fn text_size(&self) -> usize {
        self.tokens.len() - self.memory_tokens
    }

    pub fn memory_tokens(&self) -> usize {
        self.memory_tokens
    }

    /// Model input for `text`: the memory tokens, and then its [tokens](Self::tokenize).
    ///
    /// # Errors
    /// The first character of `text` that no token begins with.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, UnknownCharacter> {
        Ok(self.after_memory(&self.tokenize(text)?))
    }

    /// Puts the memory tokens before `ids`.
    pub fn after_memory(&self, ids: &[u32]) -> Vec<u32> {
        let memory = self.text_size() as u32..self.vocab_size() as u32;
        memory.chain(ids.iter().copied()).collect()
    }

    /// Tokenizes `text`: by character, for an alphabet; else by its `tokenizer.json`, at the terminal; else by the
    /// longest token that fits, from the beginning on.
    ///
    /// # Errors
    /// The first character of `text` that no token begins with.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>, UnknownCharacter> {
        if let Some(ids) = self.source.as_ref().and_then(|source| source.encode(text)) {
            return Ok(ids);
        }
        let mut ids = Vec::with_capacity(if self.is_alphabet { text.len() } else { 0 });
        let mut rest = text;
        while let Some(found) = rest.chars().next() {
            let limit = self.longest.min(rest.len());
            let ends = (found.len_utf8()..=limit).rev().filter(|end| rest.is_char_boundary(*end));
            let mut fitting = ends.filter_map(|end| Some((end, self.find(&rest[..end])?)));
            let Some((end, id)) = fitting.next() else {
                return Err(UnknownCharacter { found });
            };
            ids.push(id);
            rest = &rest[end..];
        }
        Ok(ids)
    }

    /// Text of token `id`; `None` for an id outside the vocabulary.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize).map(String::as_str)
    }

    /// Text of `ids`, without ids outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> String {
        ids.iter().filter_map(|id| self.token(*id)).collect()
    }

    fn text_tokens(&self) -> &[String] {
        &self.tokens[..self.text_size()]
    }

    fn find(&self, text: &str) -> Option<u32> {
        let by_text = |id: &u32| self.tokens[*id as usize].as_str().cmp(text);
        self.by_text.binary_search_by(by_text).ok().map(|index| self.by_text[index])
    }
}

impl From<Written> for Tokenizer {
    fn from(written: Written) -> Self {
        let (mut tokens, is_alphabet, memory_tokens, source): (Vec<String>, _, _, _) = match written
        {
            Written::Characters { alphabet, memory_tokens } => {
                (alphabet.into_iter().map(String::from).collect(), true, memory_tokens, None)
            }
            Written::Tokens { tokens, source } => (tokens, false, 0, source),
        };
        let mut by_text: Vec<u32> = (0..tokens.len() as u32).collect();
        // Among tokens with the same text, search finds the first id.
        by_text.sort_by_key(|id| (tokens[*id as usize].as_str(), *id));
        by_text.dedup_by_key(|id| tokens[*id as usize].as_str());
        by_text.retain(|id| !tokens[*id as usize].is_empty());
        let longest = tokens.iter().map(String::len).max().unwrap_or(0);
        // A damaged file may contain any number.
        let memory_tokens = memory_tokens.min(MAX_MEMORY_TOKENS);
        tokens.extend((1..=memory_tokens).map(|number| format!("⟨{number}⟩")));
        Self { tokens, memory_tokens, by_text, longest, is_alphabet, source }
    }
}

impl From<Tokenizer> for Written {
    fn from(tokenizer: Tokenizer) -> Self {
        match tokenizer.is_alphabet {
            true => Written::Characters {
                alphabet: tokenizer.characters().collect(),
                memory_tokens: tokenizer.memory_tokens,
            },
            false => Written::Tokens { tokens: tokenizer.tokens, source: tokenizer.source },
        }
    }
}
