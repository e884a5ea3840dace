//! Heads that are added as those there are, and dropped by what they are worth.

use super::{New, Plan, SurgeryError, graft};
use crate::checkpoint::Checkpoint;
use crate::config::MemoryLimits;
use crate::model::Layout;
use crate::model::attention::contribution;

/// What each head contributes, 0 to 1: `[layer][head]`; `None` if heads have no contributions.
pub fn contributions(of: &Checkpoint) -> Option<Vec<Vec<f32>>> {
    let layout = Layout::new(&of.config.model, of.tokenizer.vocab_size());
    let of_layer = |layer: usize| {
        let parameter = layout.find(&format!("blocks.{layer}.attn.contribution"))?;
        let numbers = &of.parameters[parameter.range.clone()];
        Some(numbers.iter().map(|c| contribution(*c)).collect())
    };
    (0..of.config.model.n_layers).map(of_layer).collect()
}

/// The run of `before` with `count` more heads in every layer. Each of a new head's numbers is drawn from a
/// normal distribution with the mean and the standard deviation that it has over the heads of its layer.
///
/// # Errors
/// If heads cannot be added, or the model does not work on a device with `limits`.
pub fn grow_heads(
    before: &Checkpoint,
    count: usize,
    limits: &MemoryLimits,
) -> Result<Checkpoint, SurgeryError> {
    let model = &before.config.model;
    let layout = Layout::new(model, before.tokenizer.vocab_size());
    let plan = Plan::add_heads(model, count)?;
    graft(before, &plan, limits, |new| alike(new, before, &layout))
}

/// The run of `before` without the `count` heads of each layer whose `worth` is least.
///
/// # Shapes
/// `worth`: `[layer][head]`
///
/// # Errors
/// As of [`Plan::prune_heads`].
pub fn prune_heads(
    before: &Checkpoint,
    worth: &[Vec<f32>],
    count: usize,
    limits: &MemoryLimits,
) -> Result<Checkpoint, SurgeryError> {
    let plan = Plan::prune_heads(&before.config.model, worth, count)?;
    graft(before, &plan, limits, |new| new.drawn)
}

/// A number of a new head, as the other heads have it.
fn alike(new: &New, before: &Checkpoint, layout: &Layout) -> f32 {
    let Some(parameter) = layout.find(new.parameter) else { return new.drawn };
    let values = &before.parameters[parameter.range.clone()];
    let columns = parameter.shape.last().copied().unwrap_or(1);
    let is_of_rows = new.parameter.ends_with("W_O");
    let is_one_a_head = [".contribution", ".gate"].iter().any(|of| new.parameter.ends_with(of));
    let width = if is_one_a_head { 1 } else { before.config.model.d_head() };
    let others: Vec<f32> = if is_of_rows {
        let rows = (new.row % width..values.len() / columns).step_by(width);
        rows.map(|row| values[row * columns + new.column]).collect()
    } else {
        let places = (new.column % width..columns).step_by(width);
        places.map(|column| values[new.row * columns + column]).collect()
    };
    let count = others.len() as f32;
    let mean = others.iter().sum::<f32>() / count;
    let variance = others.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
    mean + variance.sqrt() * new.normal
}
