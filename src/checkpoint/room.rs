//! Room that a model takes which is loaded and looked into.

use super::CheckpointError;
use crate::config::{MemoryLimits, RunConfig};

/// Copies of the weights of a model that is loaded and looked into, at worst: as a file, on the host,
/// on the device and in plain numbers.
const COPIES: u64 = 7;

/// Checks that a model can be looked into, with the logits of a whole context.
///
/// # Errors
/// [`CheckpointError::TooLarge`].
pub fn check_room(
    config: &RunConfig,
    vocab_size: usize,
    limits: &MemoryLimits,
) -> Result<(), CheckpointError> {
    let parameters = config.model.parameters(vocab_size);
    let needs = 4 * COPIES * parameters as u64 + logits(config, vocab_size);
    let has = limits.total.min(limits.buffer.saturating_mul(COPIES));
    check(parameters, needs, has)
}

/// Checks that a model whose weights have been read can be looked into where they lie, with the logits of a whole
/// context and a transposed embedding.
///
/// # Errors
/// [`CheckpointError::TooLarge`].
pub fn check_room_in_place(
    config: &RunConfig,
    vocab_size: usize,
    limits: &MemoryLimits,
) -> Result<(), CheckpointError> {
    let embedding = 4 * config.model.d_model as u64 * vocab_size as u64;
    let needs = embedding + logits(config, vocab_size);
    check(config.model.parameters(vocab_size), needs, limits.total)
}

/// Bytes of the logits of a whole context.
fn logits(config: &RunConfig, vocab_size: usize) -> u64 {
    4 * config.model.context as u64 * vocab_size as u64
}

fn check(parameters: usize, needs: u64, has: u64) -> Result<(), CheckpointError> {
    match needs > has {
        true => Err(CheckpointError::TooLarge { parameters, needs: needs >> 20, has: has >> 20 }),
        false => Ok(()),
    }
}
