//! Hugging Face's `tokenizers`, guarded: it accepts settings on which it panics or asks for terabytes.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Mutex;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::{
    DecoderWrapper, Model, ModelWrapper, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizer,
    PreTokenizerWrapper, Tokenizer,
};

use super::error::TokenizeError;
use crate::base::text::only_character;

/// A tokenizer as the library reads it.
#[derive(Debug)]
pub struct Library(Tokenizer);

impl Library {
    /// Reads a `tokenizer.json` for a model with `rows` tokens. Padding and truncation are settings of a batch, and
    /// random dropout one of training: they are passed over.
    ///
    /// # Errors
    /// The library's message, or a token that it gives an id without a row.
    pub fn new(mut json: Value, rows: usize) -> Result<Self, String> {
        for setting in ["padding", "truncation", "post_processor"] {
            json[setting] = Value::Null;
        }
        if json["model"].get("dropout").is_some() {
            json["model"]["dropout"] = Value::Null;
        }
        let read = quietly(|| serde_json::from_value::<Tokenizer>(json.clone()))?;
        let tokenizer = read.map_err(|why| unknown_part(&json).unwrap_or_else(|| why.to_string()))?;
        for added in json["added_tokens"].as_array().into_iter().flatten() {
            let content = added["content"].as_str().unwrap_or_default();
            let id = tokenizer.token_to_id(content).map(u64::from);
            if id != added["id"].as_u64() {
                return Err(format!("the added token {content:?} has another id than it says"));
            }
        }
        match tokenizer.get_vocab(true).into_iter().find(|(_, id)| *id as usize >= rows) {
            Some((token, id)) => {
                Err(format!("the token {token:?} has the id {id}, but the model has {rows} tokens"))
            }
            None => Ok(Self(tokenizer)),
        }
    }

    /// Ids of `text`, without tokens in front or behind.
    ///
    /// # Errors
    /// The first character that the tokenizer loses, or the library's message.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        let read = quietly(|| self.read(text)).map_err(TokenizeError::Library)?;
        match read.map_err(|why| TokenizeError::Library(why.to_string()))? {
            Ok(ids) => Ok(ids),
            Err(lost) => Err(TokenizeError::Unknown(lost)),
        }
    }

    /// As the library's `encode`, which loses without a word what its model has no token for: ids, or the first
    /// character that is lost.
    fn read(&self, text: &str) -> tokenizers::Result<Result<Vec<u32>, char>> {
        let added = self.0.get_added_vocabulary();
        let mut pieces = added.extract_and_normalize(self.0.get_normalizer(), text);
        if let Some(split) = self.0.get_pre_tokenizer() {
            split.pre_tokenize(&mut pieces)?;
        }
        let mut ids = Vec::new();
        for (piece, (start, end), tokens) in
            pieces.get_splits(OffsetReferential::Original, OffsetType::Byte)
        {
            if let Some(tokens) = tokens {
                ids.extend(tokens.iter().map(|token| token.id));
                continue;
            }
            let original = &text[start..end];
            let tokens = match self.0.get_model().tokenize(piece) {
                // A model of whole words fails on one that it has no token for.
                Err(why) => match only_character(original) {
                    Some(lost) => return Ok(Err(lost)),
                    None => return Err(why),
                },
                Ok(tokens) => tokens,
            };
            let read: usize = tokens.iter().map(|token| token.offsets.1 - token.offsets.0).sum();
            if read < piece.len() {
                let mut characters = original.chars();
                // One character is the one that is lost.
                let lost = match characters.clone().count() {
                    0 | 1 => characters.next(),
                    _ => characters.find(|character| {
                        let alone = self.read(character.encode_utf8(&mut [0; 4]));
                        matches!(alone, Ok(Err(_)))
                    }),
                };
                let lost = lost.or(original.chars().next());
                return Ok(Err(lost.unwrap_or(char::REPLACEMENT_CHARACTER)));
            }
            ids.extend(tokens.iter().map(|token| token.id));
        }
        Ok(Ok(ids))
    }
}

/// Names the part of a tokenizer.json that the library does not know.
fn unknown_part(json: &Value) -> Option<String> {
    fn is_unknown<T: DeserializeOwned>(part: &Value) -> bool {
        !part.is_null() && T::deserialize(part).is_err()
    }
    let name = match json {
        json if is_unknown::<NormalizerWrapper>(&json["normalizer"]) => "normalizer",
        json if is_unknown::<PreTokenizerWrapper>(&json["pre_tokenizer"]) => "pre_tokenizer",
        json if is_unknown::<DecoderWrapper>(&json["decoder"]) => "decoder",
        json if is_unknown::<ModelWrapper>(&json["model"]) => "model",
        _ => return None,
    };
    let part: String = json[name].to_string().chars().take(80).collect();
    Some(format!("its `{name}` cannot be applied: {part}"))
}

/// Result of `work`.
///
/// # Errors
/// The message of a panic, which is not printed.
pub fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Mutex<()> = Mutex::new(());
    let _held = HOOK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let done = catch_unwind(AssertUnwindSafe(work));
    set_hook(hook);
    done.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        format!("the tokenizers library broke off: {text}")
    })
}
