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
    let needs = 4 * (COPIES * parameters as u64 + (config.model.context * vocab_size) as u64);
    let has = limits.total.min(limits.buffer.saturating_mul(COPIES));
    match needs > has {
        true => Err(CheckpointError::TooLarge { parameters, needs: needs >> 20, has: has >> 20 }),
        false => Ok(()),
    }
}
