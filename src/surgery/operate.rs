//! What can go wrong, and what every operation has in common.

use super::{Kind, New, Operation, Plan, Surgery, graft, widen};
use crate::checkpoint::{Checkpoint, CheckpointError, Moments};
use crate::config::{ConfigError, MemoryLimits, ModelConfig, RunConfig};
use crate::memory::Bank;
use crate::trainer::check_room;

/// Why a model was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum SurgeryError {
    #[error("{0}")]
    Number(String),
    #[error("there is no layer {asked}; this model's Layers (model.n_layers) are 0 to {last}")]
    NoLayer { asked: usize, last: usize },
    #[error(
        "a layer cannot go before layer {asked}; this model has {n_layers} Layers (model.n_layers), so 0 \
         to {n_layers} would work"
    )]
    NoPlace { asked: usize, n_layers: usize },
    #[error("there is no head {asked}; this model's Heads (model.n_heads) are 0 to {last}")]
    NoHead { asked: usize, last: usize },
    #[error("the only layer stays: Layers (model.n_layers) are at least 1; add one first")]
    OnlyLayer,
    #[error("the only head stays: Heads (model.n_heads) are at least 1; add one first")]
    OnlyHead,
    #[error(
        "{asked} heads cannot be spread evenly over {kv_heads} Key heads (model.kv_heads); {works} would \
         work"
    )]
    Uneven { asked: usize, kv_heads: usize, works: usize },
    #[error(
        "a new layer would stand between others that read from each other: the model has Feedback \
         (model.feedback)"
    )]
    Feedback,
    #[error("layer {layer} has a memory already")]
    IsMemory { layer: usize },
    #[error("there is nothing to widen: MLP (model.mlp) is `none`")]
    NoMlp,
    #[error("the model would not work: {0}")]
    Config(ConfigError),
    #[error("the model would not work: {0}")]
    Room(CheckpointError),
}

// Their texts are part of the message; as sources they would be told twice.
impl From<ConfigError> for SurgeryError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// The run of `before` with another model, and this operation in its history. What is added writes
/// nothing at first and a wider residual stream carries copies, so only dropping changes what is
/// computed. New parameters are drawn by the run's seed and the operations so far.
///
/// # Errors
/// If the model has not what is to be dropped, or the new one does not work on a device with `limits`:
/// found before memory is taken.
pub fn operate(
    before: &Checkpoint,
    operation: Operation,
    limits: &MemoryLimits,
) -> Result<Checkpoint, SurgeryError> {
    let Operation { kind, number } = operation;
    // One that came by a message was not read from what a user typed.
    kind.procedure().read(&number.to_string()).map_err(SurgeryError::Number)?;
    let model = &before.config.model;
    let plan = match kind {
        Kind::AddLayer => Plan::add_layer(model, number),
        Kind::DropLayer => Plan::drop_layer(model, number),
        Kind::AddHeads => Plan::add_heads(model, number),
        Kind::DropHead => Plan::drop_head(model, number),
        Kind::WidenMlp => Plan::widen_mlp(model, number),
        Kind::Remember => Plan::remember(model, number),
        Kind::Widen => return Ok(record(widen(before, number, limits)?, operation)),
    };
    Ok(record(graft(before, &plan?, limits, silent)?, operation))
}

fn record(mut after: Checkpoint, operation: Operation) -> Checkpoint {
    after.edits.push(Surgery { operation, step: after.step });
    after
}

/// What is new writes nothing into the residual stream, and is otherwise as untrained. A store that is
/// empty writes nothing by itself.
fn silent(new: &New) -> f32 {
    let writes = [".attn.W_O", ".attn.b_O", ".W_out", ".b_out", ".memory.values"];
    if writes.iter().any(|name| new.parameter.ends_with(name)) { 0.0 } else { new.drawn }
}

/// The settings of a run that gets this model.
///
/// # Errors
/// If it does not work, or not on a device with `limits`.
pub(super) fn refit(
    before: &Checkpoint,
    model: ModelConfig,
    limits: &MemoryLimits,
) -> Result<RunConfig, SurgeryError> {
    let config = RunConfig { model, ..before.config.clone() };
    config.validate()?;
    let vocab_size = before.tokenizer.vocab_size();
    match config.task.is_unknown() {
        true => check_room(&config, vocab_size, limits).map_err(SurgeryError::Room)?,
        false => config.validate_memory(vocab_size, limits)?,
    }
    Ok(config)
}

/// The run of `before` with other parameters.
pub(super) fn replace(
    before: &Checkpoint,
    config: RunConfig,
    parameters: Vec<f32>,
    moments: Option<Moments>,
    bank: Bank,
) -> Checkpoint {
    Checkpoint {
        config,
        step: before.step,
        tokenizer: before.tokenizer.clone(),
        history: before.history.clone(),
        edits: before.edits.clone(),
        parameters,
        moments,
        bank,
    }
}

/// Seeds what the next operation draws; seeds of runs are below 2^53.
pub(super) fn seed(before: &Checkpoint) -> u64 {
    before.config.seed | (before.edits.len() as u64 + 1) << 53
}
