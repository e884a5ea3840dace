//! What can go wrong, and what every operation has in common.

use super::weights::{prune, rewind};
use super::{
    Kind, New, Operation, Plan, Surgery, contributions, graft, grow_heads, prune_heads, widen,
};
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
        "{asked} heads cannot be dropped of {n_heads}; one at least stays, and Heads (model.n_heads) says \
         how many there are"
    )]
    TooFewHeads { asked: usize, n_heads: usize },
    #[error(
        "{n_heads} heads that share {kv_heads} Key heads (model.kv_heads) are not dropped one by one; drop \
         those of one key head with `drop-head`"
    )]
    SharedKeys { n_heads: usize, kv_heads: usize },
    #[error(
        "heads of this model have no contributions to be judged by: train one with Contributions \
         (model.contributions), or choose a head with `drop-head`"
    )]
    NoContributions,
    #[error(
        "no weights of step {asked} of a model of this size are at hand; the page keeps some sixty steps of \
         a run, those that “Look at” goes back to, and at the terminal `--past` names a checkpoint of that step"
    )]
    NoPast { asked: usize },
    #[error(
        "what the output remembers is as wide as the residual stream and would not be found; empty the \
         memory first, and fill it again with Frozen (train.frozen)"
    )]
    Neighbours,
    #[error(
        "a new layer would stand between others that read from each other: the model has Feedback \
         (model.feedback)"
    )]
    Feedback,
    #[error(
        "what layer {layer} remembers is as wide as its heads together and would not be found by more or \
         fewer; empty the memory first"
    )]
    Memorized { layer: usize },
    #[error(
        "a model has memories of one kind, and its Memory (model.memory.kind) is `memorizing`, which leaves MLPs \
         where they are; another kind, or `none`, would work"
    )]
    Memorizing,
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

/// The flat parameters that a run had at a step, if they were kept.
pub type Past<'a> = &'a dyn Fn(usize) -> Option<Vec<f32>>;

/// The run of `before` with another model, and this operation in its history. What is added writes
/// nothing at first and a wider residual stream carries copies, so only growing, dropping, pruning and
/// rewinding change what is computed. New parameters are drawn by the run's seed and the operations so far.
///
/// # Errors
/// If the model has not what is to be dropped, or the new one does not work on a device with `limits`:
/// found before memory is taken.
pub fn operate(
    before: &Checkpoint,
    operation: Operation,
    limits: &MemoryLimits,
    past: Past,
) -> Result<Checkpoint, SurgeryError> {
    let Operation { kind, number } = operation;
    // One that came by a message was not read from what a user typed.
    kind.procedure().read(&number.to_string()).map_err(SurgeryError::Number)?;
    let model = &before.config.model;
    let silently = |plan: Result<Plan, _>| graft(before, &plan?, limits, silent);
    let mut after = match kind {
        Kind::AddLayer => silently(Plan::add_layer(model, number)),
        Kind::DropLayer => silently(Plan::drop_layer(model, number)),
        Kind::AddHeads => silently(Plan::add_heads(model, number)),
        Kind::DropHead => silently(Plan::drop_head(model, number)),
        Kind::WidenMlp => silently(Plan::widen_mlp(model, number)),
        Kind::Remember => silently(Plan::remember(model, number)),
        Kind::Widen => widen(before, number, limits),
        Kind::GrowHeads => grow_heads(before, number, limits),
        Kind::PruneHeads => {
            let worth = contributions(before).ok_or(SurgeryError::NoContributions)?;
            prune_heads(before, &worth, number, limits)
        }
        Kind::PruneWeights => Ok(prune(before, number)),
        Kind::Rewind => rewind(before, number, past(number)),
    }?;
    after.edits.push(Surgery { operation, step: before.step, loss: None });
    Ok(after)
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
