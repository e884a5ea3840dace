//! Text to ids and back.

mod byte_pairs;
mod bytes;
mod decoder;
mod error;
mod index;
#[cfg(feature = "cli")]
mod library;
mod settings;
mod source;
mod stream;
#[cfg(feature = "cli")]
mod train;

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::config::MAX_MEMORY_TOKENS;
pub use error::TokenizeError;
use index::Index;
pub use settings::Settings;
pub use source::Source;
use source::Read;
pub use stream::TextStream;

/// Tokenizer with one id per token. Most tasks have a token per character of an alphabet; modular addition, imported
/// models and byte pairs have tokens for pieces of text. Memory tokens may follow them: learned tokens before every input,
/// and in no text (Burtsev et al. 2020, "Memory Transformer").
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Tokenizer {
    /// Tokens by id as they are shown, memory tokens last.
    tokens: Vec<String>,
    memory_tokens: usize,
    /// Text tokens by what they stand for, built on first use.
    index: Arc<OnceLock<Index>>,
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
        #[serde(default, skip_serializing_if = "is_none")]
        memory_tokens: usize,
    },
}

fn is_none(memory_tokens: &usize) -> bool {
    *memory_tokens == 0
}

impl Tokenizer {
    /// Tokenizer of the distinct characters of `alphabet`, sorted.
    pub fn new(alphabet: &str) -> Self {
        let mut alphabet: Vec<char> = alphabet.chars().collect();
        alphabet.sort_unstable();
        alphabet.dedup();
        Written::Characters { alphabet, memory_tokens: 0 }.into()
    }

    /// The same tokens followed by `count` memory tokens, at most [`MAX_MEMORY_TOKENS`].
    pub fn with_memory(self, count: usize) -> Self {
        let mut written = self.into();
        let (Written::Characters { memory_tokens, .. } | Written::Tokens { memory_tokens, .. }) =
            &mut written;
        *memory_tokens = count;
        written.into()
    }

    /// Tokenizer of pieces of text, by id, with their `tokenizer.json` if there is one.
    pub fn of_tokens(tokens: Vec<String>, json: Option<String>) -> Self {
        Written::Tokens { tokens, source: json.map(Source::new), memory_tokens: 0 }.into()
    }

    /// Refuses to learn byte pairs, for which the page's worker has no room.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "cli"))]
    pub fn byte_pairs(_: impl Iterator<Item = String> + Send, _: usize) -> Result<Self, String> {
        Err("byte pairs are learned at the terminal: begin the run there with `confab train --tokens bpe` and open its \
             file here, or set Tokens to characters"
            .into())
    }

    /// Characters of an alphabet, in the order of their ids; none of pieces of text.
    pub fn characters(&self) -> impl Iterator<Item = char> {
        let tokens = if self.is_alphabet { self.text_tokens() } else { &[] };
        tokens.iter().filter_map(|token| token.chars().next())
    }

    /// The `tokenizer.json` that makes tokens of a text, if one does.
    pub fn json(&self) -> Option<&str> {
        self.source.as_ref().map(Source::json)
    }

    /// True if a `tokenizer.json` makes tokens of a text.
    pub fn is_of_pieces(&self) -> bool {
        self.source.is_some()
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

    /// Checks that the tokenizer of an imported model can be applied, and has a row for each of its tokens.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        match self.read() {
            Some(Err(why)) => Err(why.to_owned()),
            _ if self.text_size() == 0 => Err("it has no tokens".into()),
            _ => Ok(()),
        }
    }

    /// True if a space is put before every text that is tokenized.
    pub fn has_first_space(&self) -> bool {
        self.settings().is_some_and(|settings| settings.has_first_space)
    }

    /// Tokens in front of every input, after those of memory.
    pub fn start(&self) -> &[u32] {
        self.settings().map_or(&[], |settings| &settings.start)
    }

    /// True if Confab makes tokens of a text by byte pairs itself, so that page and terminal make the same.
    pub fn is_of_byte_pairs(&self) -> bool {
        matches!(self.read(), Some(Ok(Read { pairs: Some(pairs), .. })) if pairs.is_exact)
    }

    /// True if text becomes tokens by the longest that fits, where the model has a `tokenizer.json` that may split it
    /// otherwise.
    pub fn is_approximate(&self) -> bool {
        cfg!(not(feature = "cli")) && self.source.is_some() && !self.is_of_byte_pairs()
    }

    fn read(&self) -> Option<Result<&Read, &str>> {
        self.source.as_ref().map(|source| source.read(self.text_size()))
    }

    fn settings(&self) -> Option<&Settings> {
        Some(&self.read()?.ok()?.settings)
    }

    /// Model input for `text`: the memory tokens, those that the model has in front of every text, and the text's own
    /// [tokens](Self::tokenize).
    ///
    /// # Errors
    /// The errors of `tokenize`, and a text without tokens.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        let ids = [self.start(), &self.tokenize(text)?].concat();
        if ids.is_empty() { Err(TokenizeError::Nothing) } else { Ok(self.after_memory(&ids)) }
    }

    /// Puts the memory tokens before `ids`.
    pub fn after_memory(&self, ids: &[u32]) -> Vec<u32> {
        let memory = self.text_size() as u32..self.vocab_size() as u32;
        memory.chain(ids.iter().copied()).collect()
    }

    /// Tokenizes `text` as its `tokenizer.json` says. Without one, and in the page where it is not of byte pairs, takes the
    /// longest token that fits, from the beginning on, which for an alphabet is the character.
    ///
    /// # Errors
    /// The first character of `text` that no token stands for, or a failure of the `tokenizer.json`.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        match self.read() {
            None => self.index().tokenize(text, None),
            Some(Err(why)) => Err(TokenizeError::Library(why.to_owned())),
            Some(Ok(Read { pairs: Some(pairs), .. })) => pairs.tokenize(text),
            #[cfg(feature = "cli")]
            Some(Ok(read)) => read.library.encode(text),
            #[cfg(not(feature = "cli"))]
            Some(Ok(read)) => self.index().tokenize(text, Some(&read.settings)),
        }
    }

    /// Text of token `id`; `None` for an id outside the vocabulary.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize).map(String::as_str)
    }

    /// Text of `ids`, without ids outside the vocabulary. A character that is not whole is U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let Some(settings) = self.settings() else {
            return ids.iter().filter_map(|id| self.token(*id)).collect();
        };
        let piece = |id: &u32| settings.piece(*id).or_else(|| self.token(*id)).map(str::to_owned);
        settings.decode(ids.iter().filter_map(piece).collect())
    }

    /// Number of bytes that token `id` stands for within a text.
    pub fn byte_len(&self, id: u32) -> usize {
        let settings = self.settings();
        let piece = settings.and_then(|settings| Some(settings.bytes(settings.piece(id)?).len()));
        piece.or(self.token(id).map(str::len)).unwrap_or(0)
    }

    fn text_tokens(&self) -> &[String] {
        &self.tokens[..self.text_size()]
    }

    /// Id of the token that stands for `text`; the first, if there are several.
    pub fn id(&self, text: &str) -> Option<u32> {
        self.index().find(text.as_bytes())
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let settings = self.settings();
            let bytes = |(id, token): (u32, &String)| {
                let piece = settings.and_then(|settings| Some((settings, settings.piece(id)?)));
                let bytes = piece.map(|(settings, piece)| settings.bytes(piece));
                (bytes.unwrap_or_else(|| token.as_bytes().to_vec()), id)
            };
            Index::new((0..).zip(self.text_tokens()).map(bytes))
        })
    }
}

impl PartialEq for Tokenizer {
    fn eq(&self, other: &Self) -> bool {
        let key = |of: &Self| (of.memory_tokens, of.is_alphabet);
        key(self) == key(other) && self.tokens == other.tokens && self.source == other.source
    }
}

impl Eq for Tokenizer {}

impl From<Written> for Tokenizer {
    fn from(written: Written) -> Self {
        let (mut tokens, is_alphabet, memory_tokens, source): (Vec<String>, _, _, _) = match written
        {
            Written::Characters { alphabet, memory_tokens } => {
                (alphabet.into_iter().map(String::from).collect(), true, memory_tokens, None)
            }
            Written::Tokens { tokens, source, memory_tokens } => {
                (tokens, false, memory_tokens, source)
            }
        };
        // A damaged file may contain any number.
        let memory_tokens = memory_tokens.min(MAX_MEMORY_TOKENS);
        tokens.extend((1..=memory_tokens).map(|number| format!("⟨{number}⟩")));
        Self { tokens, memory_tokens, index: Arc::default(), is_alphabet, source }
    }
}

impl From<Tokenizer> for Written {
    fn from(tokenizer: Tokenizer) -> Self {
        match tokenizer.is_alphabet {
            true => Written::Characters {
                alphabet: tokenizer.characters().collect(),
                memory_tokens: tokenizer.memory_tokens,
            },
            false => Written::Tokens {
                tokens: tokenizer.text_tokens().to_vec(),
                memory_tokens: tokenizer.memory_tokens,
                source: tokenizer.source,
            },
        }
    }
}
