//! Tokenized prompts.

use crate::tokenizer::{Tokenizer, UnknownCharacter};

/// Tokenizes `prompt`, with the memory tokens in front. An empty prompt becomes a line break, because a model
/// needs a token to start from.
pub fn encode_prompt(
    tokenizer: &Tokenizer,
    prompt: &str,
) -> Result<Vec<u32>, UnknownCharacter> {
    match prompt {
        "" => Ok(tokenizer.encode("\n").unwrap_or_else(|_| tokenizer.after_memory(&[0]))),
        prompt => tokenizer.encode(prompt),
    }
}
