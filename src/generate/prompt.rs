//! Tokenized prompts.

use crate::tokenizer::{Tokenizer, TokenizeError};

/// Tokenizes `prompt`, with the memory tokens in front. An empty prompt becomes a line break or a space where the
/// model has no tokens in front of every text, because it needs a token to start from.
///
/// # Errors
/// If the model does not know a character, or has neither to begin with.
pub fn encode_prompt(
    tokenizer: &Tokenizer,
    prompt: &str,
) -> Result<Vec<u32>, TokenizeError> {
    match tokenizer.encode(prompt) {
        Err(TokenizeError::Nothing) if prompt.is_empty() => {
            let blank = tokenizer.encode("\n").or_else(|_| tokenizer.encode(" "));
            blank.map_err(|_| TokenizeError::Nothing)
        }
        encoded => encoded,
    }
}
