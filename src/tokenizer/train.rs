//! Byte pairs of a text, learned by Hugging Face's `tokenizers`.

use std::str::FromStr;

use serde_json::{Value, json};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::BpeTrainer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::Tokenizer as Library;

use super::Tokenizer;
use super::byte_pairs::WORDS;
use super::bytes::{of_characters, shown};
use super::library::quietly;

impl Tokenizer {
    /// Tokenizer of the 256 bytes and of pairs learned from the pieces of a text, at most `vocab` tokens in all. A pair
    /// is learned if it occurs twice.
    ///
    /// # Errors
    /// The library's message.
    pub fn byte_pairs(pieces: impl Iterator<Item = String> + Send, vocab: usize) -> Result<Self, String> {
        let json = quietly(|| learn(pieces, vocab))?.map_err(|why| why.to_string())?;
        let read: Value = serde_json::from_str(&json).map_err(|why| why.to_string())?;
        let pieces = read["model"]["vocab"].as_object().into_iter().flatten();
        let mut tokens: Vec<(u64, String)> = pieces
            .map(|(piece, id)| {
                let text = shown(&of_characters(piece));
                (id.as_u64().unwrap_or_default(), text)
            })
            .collect();
        tokens.sort_unstable();
        Ok(Self::of_tokens(tokens.into_iter().map(|(_, text)| text).collect(), Some(json)))
    }
}

/// The `tokenizer.json` that is learned from the pieces of a text.
fn learn(pieces: impl Iterator<Item = String> + Send, vocab: usize) -> tokenizers::Result<String> {
    let untrained = json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer(),
        "post_processor": null,
        "decoder": byte_level(),
        "model": {"type": "BPE", "vocab": {}, "merges": []},
    });
    let mut library = Library::from_str(&untrained.to_string())?;
    let trainer = BpeTrainer::builder()
        .vocab_size(vocab)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    library.train(&mut TrainerWrapper::from(trainer), pieces)?;
    library.to_string(false)
}

/// The pre-tokenizer: words, as bytes.
fn pre_tokenizer() -> Value {
    json!({
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": false},
            byte_level(),
        ],
    })
}

fn byte_level() -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})
}
