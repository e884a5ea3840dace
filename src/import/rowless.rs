//! Tokens that were added to a tokenizer without a row in the embedding, as `[PAD]` often is: no model
//! can read them.

use std::collections::HashSet;

use serde_json::Value;

/// Tokens that a note names at most.
const MAX_TOLD: usize = 5;

/// Drops from a tokenizer.json the added tokens whose ids are not below `rows`, and returns their
/// texts.
pub fn drop_tokens(json: &mut Value, rows: usize) -> Vec<String> {
    let has_row = |id: &Value| id.as_u64().is_none_or(|id| id < rows as u64);
    let added = json.get_mut("added_tokens").and_then(Value::as_array_mut);
    let Some(added) = added else { return Vec::new() };
    let (kept, dropped) = std::mem::take(added).into_iter().partition(|t: &Value| has_row(&t["id"]));
    *added = kept;
    let text = |token: &Value| Some(token["content"].as_str()?.to_string());
    let dropped: Vec<String> = dropped.iter().filter_map(text).collect();
    // Some tools list them among the usual tokens too.
    let names: HashSet<&String> = dropped.iter().collect();
    let vocab = json.pointer_mut("/model/vocab").and_then(Value::as_object_mut);
    if let Some(vocab) = vocab {
        vocab.retain(|token, id| has_row(id) || !names.contains(token));
    }
    dropped
}

/// A line for the user about tokens that were dropped, if there are any.
pub fn note(file: &str, dropped: &[String]) -> Option<String> {
    let brief = |token: &String| format!("{:?}", token.chars().take(40).collect::<String>());
    let told: Vec<String> = dropped.iter().take(MAX_TOLD).map(brief).collect();
    let more = if dropped.len() > MAX_TOLD { " and others" } else { "" };
    (!told.is_empty()).then(|| {
        format!(
            "Dropped from {file}, for the model has no row for them: {}{more}",
            told.join(", ")
        )
    })
}
