//! Files that name a model's tokens: `tokenizer.json`, `vocab.json` with `merges.txt`, or nanoGPT's `meta.pkl`.

use serde_json::{Map, Value, json};

#[cfg(feature = "cli")]
use super::meta;
use super::vocabulary::{Named, Vocabulary, unnamed};
use super::{File, ImportError, rowless};
use crate::tokenizer::{Settings, Tokenizer};

const UNNAMED: &str = "The tokens have no names but <0>, <1> and so on: give the model's tokenizer.json (a \
                       tokenizer.model must be converted to one), or vocab.json with merges.txt";

/// Reads the names of `rows` tokens from the files that have them; `<id>` where none has.
///
/// # Errors
/// If such a file cannot be read, or tokenizes in a way that Confab cannot.
pub fn read(files: &[File], rows: usize) -> Result<Named, ImportError> {
    let find = |name: &str| files.iter().find(|file| file.name == name);
    #[cfg(feature = "cli")]
    if let Some(file) = files.iter().find(|file| file.name.ends_with(".pkl")) {
        return meta::read(file, rows);
    }
    let mut notes = Vec::new();
    let vocabulary = match (find("tokenizer.json"), find("vocab.json"), find("merges.txt")) {
        (Some(file), ..) => {
            let text = text(file)?;
            let mut json: Value = serde_json::from_str(text).map_err(|why| format(file, why))?;
            let dropped = rowless::drop_tokens(&mut json, rows);
            notes.extend(rowless::note(file.name, &dropped));
            let text = if dropped.is_empty() { text.to_owned() } else { json.to_string() };
            of_tokenizer(file, &json, text, rows)?
        }
        (None, Some(vocab), Some(merges)) => {
            let json = of_gpt2(vocab, merges)?;
            of_tokenizer(vocab, &json, json.to_string(), rows)?
        }
        (None, Some(file), None) => {
            let (lacks, which) = ("merges.txt", "which says how text becomes tokens");
            return Err(ImportError::Alone { file: file.name.into(), lacks, which });
        }
        (None, None, Some(file)) => {
            let (lacks, which) = ("vocab.json", "which has the tokens that it merges");
            return Err(ImportError::Alone { file: file.name.into(), lacks, which });
        }
        (None, None, None) => {
            notes.push(UNNAMED.into());
            Vocabulary::Tokens { tokens: unnamed(rows), tokenizer: None }
        }
    };
    Ok(Named { vocabulary, order: None, notes })
}

/// The tokens of a tokenizer.json, as Hugging Face's `tokenizers` writes it.
fn of_tokenizer(
    file: &File,
    json: &Value,
    text: String,
    rows: usize,
) -> Result<Vocabulary, ImportError> {
    let refuse = |what: String| ImportError::Vocabulary {
        file: file.name.into(),
        what: format!("{what}; give the tokenizer that the model was trained with"),
    };
    let settings = Settings::read(json, rows).map_err(refuse)?;
    let mut tokens = unnamed(rows);
    for (id, name) in (0..).zip(&mut tokens) {
        if let Some(piece) = settings.piece(id) {
            *name = settings.shown(piece);
        }
    }
    // The tokenizer must be one that can be applied, not only read.
    Tokenizer::of_tokens(tokens.clone(), Some(text.clone())).check().map_err(refuse)?;
    Ok(Vocabulary::Tokens { tokens, tokenizer: Some(text) })
}

/// The tokenizer.json of GPT-2's older pair of files.
fn of_gpt2(vocab: &File, merges: &File) -> Result<Value, ImportError> {
    let tokens: Map<String, Value> =
        serde_json::from_str(text(vocab)?).map_err(|why| format(vocab, why))?;
    let is_merge = |line: &&str| !line.starts_with("#version") && !line.trim().is_empty();
    let merges: Vec<&str> = text(merges)?.lines().filter(is_merge).collect();
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true});
    Ok(json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": bytes,
        "post_processor": null,
        "decoder": bytes,
        "model": {"type": "BPE", "vocab": tokens, "merges": merges},
    }))
}

fn text<'a>(file: &File<'a>) -> Result<&'a str, ImportError> {
    let text = std::str::from_utf8(file.bytes).map_err(|why| format(file, why))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn format(file: &File, why: impl std::fmt::Display) -> ImportError {
    ImportError::Format { file: file.name.into(), kind: "JSON", why: why.to_string() }
}
