//! Runs with a changed model.

use super::error::SurgeryError;
use crate::checkpoint::{Checkpoint, check_room};
use crate::config::{MemoryLimits, ModelConfig, RunConfig};
use crate::memory::Bank;
use crate::run::Moments;

/// Settings of a run with this model.
///
/// # Errors
/// If they do not work, or not on a device with `limits`.
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
        false => config.validate_room(vocab_size, limits)?,
    }
    Ok(config)
}

/// The run of `before` with other parameters.
///
/// # Errors
/// If one of its values is no finite number.
pub(super) fn replace(
    before: &Checkpoint,
    config: RunConfig,
    parameters: Vec<f32>,
    moments: Option<Moments>,
    bank: Bank,
) -> Result<Checkpoint, SurgeryError> {
    let after = Checkpoint {
        config,
        step: before.step,
        tokenizer: before.tokenizer.clone(),
        history: before.history.clone(),
        edits: before.edits.clone(),
        parameters,
        moments,
        bank,
        adapters: before.adapters.clone(),
    };
    if after.is_finite() { Ok(after) } else { Err(SurgeryError::Overflow) }
}

/// Seed of the next operation; seeds of runs are below 2^53.
pub(super) fn seed(before: &Checkpoint) -> u64 {
    before.config.seed | (before.edits.len() as u64 + 1) << 53
}
