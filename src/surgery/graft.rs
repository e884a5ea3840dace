//! Layers, heads and hidden units, added or dropped. All other parameters keep their values and moments, in
//! their new places.

use super::error::SurgeryError;
use super::plan::{New, Plan};
use super::refit::{refit, replace, seed};
use crate::arch::Layout;
use crate::checkpoint::Checkpoint;
use crate::config::MemoryLimits;
use crate::model::untrained;
use crate::run::Moments;

/// The run of `before` with the model of `plan`. `begin` gives the new values; their moments are 0, as in a new
/// run.
///
/// # Errors
/// If the model does not work on a device with `limits`, or could not find its stored slots.
pub fn graft(
    before: &Checkpoint,
    plan: &Plan,
    limits: &MemoryLimits,
    begin: impl Fn(&New) -> f32,
) -> Result<Checkpoint, SurgeryError> {
    let config = refit(before, plan.model.clone(), limits)?;
    let bank = plan.bank(&before.bank)?;
    let layout = |model| Layout::new(model, before.tokenizer.vocab_size());
    let (from, to) = (layout(&before.config.model), layout(&config.model));
    let drawn = untrained(&config.model, &to, seed(before));
    let parameters = plan.transplant([&from, &to], &before.parameters, &drawn, begin);
    let moment = |values: &[f32]| plan.transplant([&from, &to], values, &drawn, |_| 0.0);
    let moments = before.moments.as_ref().map(|Moments { first, second }| Moments {
        first: moment(first),
        second: second.as_deref().map(moment),
    });
    replace(before, config, parameters, moments, bank)
}
