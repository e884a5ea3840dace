//! What one forward pass over a prompt computed.

use burn::tensor::{ExecutionError, Transaction};

use crate::protocol::{Cost, Trace};
use crate::sample::{alternatives, surprisal, to_tensor};
use crate::task::floor::surprisals;
use crate::tokenizer::UnknownCharacter;
use crate::trainer::{Trainer, floats};

/// Most pattern values in a trace: 32 MiB of them. Longer prompts are cut.
const MAX_PATTERN_VALUES: usize = 8 << 20;

/// Why a prompt was not traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("it is empty; type at least one character")]
    Empty,
    #[error(transparent)]
    Unknown(#[from] UnknownCharacter),
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
}

/// Longest prompt, in tokens, whose patterns are traced whole with `trainer`'s model.
pub fn longest_prompt(trainer: &Trainer) -> usize {
    let model = &trainer.config.model;
    let per_head = MAX_PATTERN_VALUES / (model.n_layers * model.n_heads).max(1);
    per_head.isqrt().clamp(1, model.context)
}

/// Traces the first [`longest_prompt`] characters of `prompt`, reading everything back at once.
///
/// # Errors
/// If the prompt is empty or has characters that the model does not know, or the device failed.
pub async fn trace(trainer: &Trainer, prompt: &str) -> Result<Trace, TraceError> {
    let mut ids = trainer.tokenizer.encode(prompt)?;
    let prompt_len = ids.len();
    ids.truncate(longest_prompt(trainer));
    if ids.is_empty() {
        return Err(TraceError::Empty);
    }
    let model = trainer.model();
    let (logits, patterns) = model.forward(to_tensor(&ids, &trainer.parameters.device()));
    let read =
        patterns.iter().fold(Transaction::default(), |all, pattern| all.register(pattern.source()));
    let mut read = read.register(logits).execute_async().await?;
    let logits = read.pop().map(floats).unwrap_or_default();
    let rows: Vec<&[f32]> = logits.chunks(trainer.tokenizer.vocab_size().max(1)).collect();
    let tokens: Vec<char> = prompt.chars().take(ids.len()).collect();
    let floors = surprisals(&trainer.task, &tokens.iter().collect::<String>());
    let costs = rows.iter().zip(&ids[1..]).zip(&floors[1..]);
    let cost = |((row, id), floor): ((&&[f32], &u32), &Option<f64>)| Cost {
        loss: surprisal(row, *id as usize),
        floor: floor.map(|floor| floor as f32),
    };
    Ok(Trace {
        step: trainer.step,
        tokens,
        prompt_len,
        n_layers: trainer.config.model.n_layers,
        n_heads: trainer.config.model.n_heads,
        patterns: patterns.iter().zip(read).flat_map(|(p, read)| p.read(&floats(read))).collect(),
        next: rows.iter().map(|row| alternatives(row, &trainer.tokenizer)).collect(),
        costs: costs.map(cost).collect(),
    })
}
