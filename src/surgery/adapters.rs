//! Low-rank adapters switched, merged and removed.

use super::error::SurgeryError;
use crate::arch::Layout;
use crate::checkpoint::Checkpoint;

/// The run with adapter `number` on if it was off, and off if it was on.
pub(super) fn switch(before: &Checkpoint, number: usize) -> Result<Checkpoint, SurgeryError> {
    check(before, number)?;
    let mut after = before.clone();
    let adapter = &mut after.adapters[number];
    adapter.is_on = !adapter.is_on;
    Ok(after)
}

/// The run with the changes of adapter `number` in its weights, whether it is on or off.
pub(super) fn merge(before: &Checkpoint, number: usize) -> Result<Checkpoint, SurgeryError> {
    let mut after = remove(before, number)?;
    let layout = Layout::new(&before.config.model, before.tokenizer.vocab_size());
    let mut adapter = before.adapters[number].clone();
    adapter.is_on = true;
    adapter.add_to(&mut after.parameters, &layout);
    if after.is_finite() { Ok(after) } else { Err(SurgeryError::Overflow) }
}

/// The run without adapter `number`. Where that is the one that is trained, the weights are trained from now on, with
/// moments of 0.
pub(super) fn remove(before: &Checkpoint, number: usize) -> Result<Checkpoint, SurgeryError> {
    check(before, number)?;
    let mut after = before.clone();
    after.adapters.remove(number);
    if number == after.adapters.len() {
        after.config.train.lora.rank = 0;
    }
    Ok(after)
}

fn check(before: &Checkpoint, asked: usize) -> Result<(), SurgeryError> {
    match before.adapters.len() {
        count if asked >= count => Err(SurgeryError::NoAdapter { asked, count }),
        _ => Ok(()),
    }
}
