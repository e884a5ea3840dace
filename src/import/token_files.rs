//! Files that name a model's tokens: `tokenizer.json`, `vocab.json` or nanoGPT's `meta.pkl`.

use std::collections::HashMap;

use serde_json::{Map, Value};

#[cfg(feature = "cli")]
use super::meta;
use super::vocabulary::{Named, Names, Vocabulary};
use super::{File, ImportError, rowless};

/// The names of `rows` tokens from the files that have them; `<id>` where none has.
pub fn read(files: &[File], rows: usize) -> Result<Named, ImportError> {
    let find = |name: &str| files.iter().find(|file| file.name == name);
    #[cfg(feature = "cli")]
    if let Some(file) = files.iter().find(|file| file.name.ends_with(".pkl")) {
        return meta::read(file, rows);
    }
    let mut notes = Vec::new();
    let (tokens, tokenizer) = match (find("tokenizer.json"), find("vocab.json")) {
        (Some(file), _) => {
            let text = std::str::from_utf8(file.bytes).map_err(|why| format(file, why))?;
            let mut json: Value = parse(file, file.bytes)?;
            let dropped = rowless::drop_tokens(&mut json, rows);
            let tokens = of_tokenizer(file, &json, rows)?;
            notes.extend(rowless::note(file.name, &dropped));
            let text = if dropped.is_empty() { text.to_string() } else { json.to_string() };
            (tokens, Some(text))
        }
        (None, Some(file)) => {
            let vocab: Map<String, Value> = parse(file, file.bytes)?;
            let mut names = Names::new(file.name, rows);
            let alphabet = byte_alphabet();
            for (token, id) in &vocab {
                names.put(id.as_u64(), of_bytes(token, &alphabet))?;
            }
            (names.tokens, None)
        }
        (None, None) => (Names::new("", rows).tokens, None),
    };
    Ok(Named { vocabulary: Vocabulary::Tokens { tokens, tokenizer }, order: None, notes })
}

/// The tokens of a tokenizer.json, as Hugging Face's `tokenizers` writes it.
fn of_tokenizer(file: &File, json: &Value, rows: usize) -> Result<Vec<String>, ImportError> {
    let is_of_bytes = [&json["decoder"], &json["pre_tokenizer"]].into_iter().any(is_byte_level);
    let alphabet = byte_alphabet();
    let decode = |token: &str| {
        if is_of_bytes { of_bytes(token, &alphabet) } else { of_sentence_piece(token) }
    };
    let mut names = Names::new(file.name, rows);
    match &json["model"]["vocab"] {
        Value::Object(vocab) => {
            for (token, id) in vocab {
                names.put(id.as_u64(), decode(token))?;
            }
        }
        // A unigram model's: pairs of a token and its score.
        Value::Array(vocab) => {
            for (id, pair) in (0..).zip(vocab) {
                names.put(Some(id), decode(pair[0].as_str().unwrap_or_default()))?;
            }
        }
        _ => {
            let what =
                "its `model.vocab` is missing; give the tokenizer.json of `tokenizers`".into();
            return Err(ImportError::Vocabulary { file: file.name.into(), what });
        }
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        names.put(added["id"].as_u64(), added["content"].as_str().unwrap_or_default().into())?;
    }
    Ok(names.tokens)
}

/// True if a step of a tokenizer, or one of those in it, spells bytes as characters.
fn is_byte_level(step: &Value) -> bool {
    let is_one = |step: &Value| step["type"] == "ByteLevel";
    let inner = ["decoders", "pretokenizers"].into_iter().filter_map(|key| step[key].as_array());
    is_one(step) || inner.flatten().any(is_one)
}

/// The character that GPT-2's vocabulary spells each byte as: itself if it can be seen, else the
/// next from U+0100 on.
fn byte_alphabet() -> HashMap<char, u8> {
    let is_seen = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let seen = (0..=u8::MAX).filter(is_seen).map(|byte| (char::from(byte), byte));
    let unseen = (0..=u8::MAX).filter(|byte| !is_seen(byte));
    seen.chain(('\u{100}'..).zip(unseen)).collect()
}

/// The text of a token whose characters stand for bytes; others stay as they are.
fn of_bytes(token: &str, alphabet: &HashMap<char, u8>) -> String {
    let bytes: Option<Vec<u8>> = token.chars().map(|c| alphabet.get(&c).copied()).collect();
    bytes.map_or(token.into(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The text of one of SentencePiece's tokens, where `▁` is a space and `<0xE4>` a byte.
fn of_sentence_piece(token: &str) -> String {
    let hex = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    match hex.filter(|hex| hex.len() == 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
        Some(byte) => String::from_utf8_lossy(&[byte]).into_owned(),
        None => token.replace('▁', " "),
    }
}

fn parse<T: serde::de::DeserializeOwned>(file: &File, bytes: &[u8]) -> Result<T, ImportError> {
    serde_json::from_slice(bytes).map_err(|why| format(file, why))
}

fn format(file: &File, why: impl std::fmt::Display) -> ImportError {
    ImportError::Format { file: file.name.into(), kind: "JSON", why: why.to_string() }
}
