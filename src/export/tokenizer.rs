//! `tokenizer.json` of Hugging Face's `tokenizers`, which makes the tokens of a text that Confab makes.

use serde_json::{Map, Value, json};

use super::file::{OutFile, pretty};
use crate::checkpoint::Checkpoint;
use crate::tokenizer::Tokenizer;

/// The files of a model's tokenizer; none if nothing is known of its tokens.
pub fn files(of: &Checkpoint) -> Vec<OutFile> {
    let Some(json) = tokenizer_json(&of.tokenizer) else { return Vec::new() };
    let config = json!({
        // The class that takes tokenizer.json as it is.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": of.config.model.context,
        "clean_up_tokenization_spaces": false,
    });
    vec![OutFile::new("tokenizer.json", json), OutFile::new("tokenizer_config.json", pretty(&config))]
}

/// The `tokenizer.json` of a model: an imported one's own, or one with the longest token that fits.
pub fn tokenizer_json(of: &Tokenizer) -> Option<String> {
    if let Some(json) = of.json() {
        return Some(json.into());
    }
    let tokens: Vec<(u32, &str)> = (0..).map_while(|id| Some((id, of.token(id)?))).collect();
    if tokens.iter().all(|(id, token)| *token == format!("<{id}>")) {
        return None; // names that were made up on import
    }
    let pattern = match of.characters().next() {
        Some(_) => r"[\s\S]".into(),
        None => longest_first(tokens.iter().map(|(_, token)| *token).collect()),
    };
    // Of tokens with one name the first is meant.
    let vocab: Map<String, Value> =
        tokens.iter().rev().map(|(id, token)| ((*token).into(), Value::from(*id))).collect();
    let json = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": {
            "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false,
        },
        "post_processor": null,
        "decoder": {"type": "Fuse"},
        // What no token stands for is refused, for there is no token `<unk>`.
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"},
    });
    Some(pretty(&json))
}

/// A regular expression of tokens, of which the longest that fits is taken.
fn longest_first(mut tokens: Vec<&str>) -> String {
    tokens.retain(|token| !token.is_empty());
    tokens.sort_by_key(|token| std::cmp::Reverse(token.len()));
    let tokens: Vec<String> = tokens.into_iter().map(literal).collect();
    tokens.join("|")
}

/// A regular expression of `text` alone.
fn literal(text: &str) -> String {
    let escape = |c: char| match c.is_ascii_punctuation() {
        true => format!("\\{c}"),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}
