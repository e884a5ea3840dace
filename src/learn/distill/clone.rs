//! The clone before it has learned: its teacher's weights, and empty memories.

use burn::tensor::ExecutionError;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::config::{ConfigError, MemoryKind, MemoryLimits, MlpKind, ModelConfig, RunConfig};
use crate::memory::Bank;
use crate::arch::{Layout, PartKind};
use crate::model::untrained as untrained_parameters;
use crate::tokenizer::TokenizeError;

/// Why a model is not distilled.
#[derive(Debug, thiserror::Error)]
pub enum DistillError {
    #[error(
        "no memory was chosen to replace MLPs with; choose featural, associative or product-key"
    )]
    Kind,
    #[error("`memorizing` replaces no MLP; choose featural, associative or product-key")]
    KeepsMlps,
    #[error("the model has no MLPs to replace")]
    NoMlp,
    #[error("the model has memories already; only one with an MLP in every layer is distilled")]
    HasMemories,
    #[error("the clone cannot be made: {0}")]
    Config(ConfigError),
    #[error("the model cannot be loaded: {0}")]
    Checkpoint(CheckpointError),
    #[error(
        "this model is from elsewhere and brought nothing to train on; give a text with `--text-file`"
    )]
    NoText,
    #[error("the text is {0} tokens long, which leaves nothing to predict; give a longer one")]
    ShortText(usize),
    #[error("the text or the prompt cannot be read by this model: {0}")]
    Unknown(TokenizeError),
    #[error(transparent)]
    Device(#[from] ExecutionError),
}

// Their texts are part of the message; as sources they would be told twice.
impl From<ConfigError> for DistillError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<CheckpointError> for DistillError {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(error)
    }
}

impl From<TokenizeError> for DistillError {
    fn from(error: TokenizeError) -> Self {
        Self::Unknown(error)
    }
}

/// The clone of `teacher` before it has learned: of `config` it has the memory, the training settings, the
/// noise and the seed, which draws the memories' untrained weights; all else is the teacher's. Stores are
/// empty, and write nothing; an associative memory's keys begin as its queries, so that a token that comes
/// again finds what it wrote.
///
/// # Errors
/// If the teacher has no MLPs to replace, or the memory replaces none, or if both do not work on a device with `limits` at once, before
/// memory is taken.
pub fn untrained(
    teacher: &Checkpoint,
    config: &RunConfig,
    limits: &MemoryLimits,
) -> Result<Checkpoint, DistillError> {
    let of = &teacher.config.model;
    if config.model.memory.kind == MemoryKind::None {
        return Err(DistillError::Kind);
    }
    if !config.model.memory.kind.replaces_mlp() {
        return Err(DistillError::KeepsMlps);
    }
    if of.memory.kind != MemoryKind::None {
        return Err(DistillError::HasMemories);
    }
    if of.mlp == MlpKind::None {
        return Err(DistillError::NoMlp);
    }
    let model = ModelConfig { memory: config.model.memory.clone(), ..of.clone() };
    let mut config = RunConfig { task: teacher.config.task.clone(), model, ..config.clone() };
    config.train.lora.rank = 0; // the clone has the teacher's adapters in its weights
    config.validate()?;
    let vocab_size = teacher.tokenizer.vocab_size();
    let taken = teacher_bytes(of, vocab_size, config.train.batch);
    let left = MemoryLimits { total: limits.total.saturating_sub(taken), ..*limits };
    config.validate_room(vocab_size, &left)?;
    let layout = Layout::new(&config.model, vocab_size);
    let mut parameters = untrained_parameters(&config.model, &layout, config.seed);
    let (taught, weights) = (Layout::new(of, vocab_size), teacher.weights());
    for parameter in layout.parameters() {
        if let Some(kept) = taught.find(parameter.name()) {
            let values = &weights[kept.range.clone()];
            parameters[parameter.range.clone()].copy_from_slice(values);
        }
    }
    for queries in layout.parameters().iter().filter(|of| of.name().ends_with(".memory.W_Q")) {
        if let Some(keys) = layout.find(&queries.name().replace("W_Q", "W_K")) {
            parameters.copy_within(queries.range.clone(), keys.range.start);
        }
    }
    let (step, history, tokenizer) = (0, Vec::new(), teacher.tokenizer.clone());
    let (bank, edits) = (Bank::new(&config.model), teacher.edits.clone());
    let (moments, adapters) = (None, Vec::new());
    Ok(Checkpoint { config, step, tokenizer, history, edits, parameters, moments, bank, adapters })
}

/// 1 in the parameters that a distillation trains: those of memories, but for the addresses of a store. Where
/// queries move, slots that have learned are no longer found by what they learned from.
pub(super) fn trained(layout: &Layout, kind: MemoryKind) -> Vec<f32> {
    layout.mask(|spec| match spec.kind {
        PartKind::Memory => true,
        PartKind::Address => !kind.is_stored(),
        PartKind::Embedding
        | PartKind::Norm
        | PartKind::Mixer
        | PartKind::Mlp
        | PartKind::Unembedding => false,
    })
}

/// Estimated bytes of a teacher that predicts `batch` rows: its weights on the host and on the device, its
/// logits, and both models' probabilities and their differences.
fn teacher_bytes(model: &ModelConfig, vocab_size: usize, batch: usize) -> u64 {
    let logits = (batch * model.context) as u64 * vocab_size as u64;
    4 * (2 * model.parameters(vocab_size) as u64 + 6 * logits)
}
