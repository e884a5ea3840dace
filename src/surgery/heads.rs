//! Heads added like the existing ones, and heads dropped by their worth.

use super::graft::graft;
use super::error::SurgeryError;
use super::plan::{New, Plan};
use crate::arch::{Dim, Layout, head_gate};
use crate::checkpoint::Checkpoint;
use crate::config::MemoryLimits;

/// Head gates, 0 to 1: `[layer][head]`; `None` if heads have none.
pub fn head_gates(of: &Checkpoint) -> Option<Vec<Vec<f32>>> {
    let layout = Layout::new(&of.config.model, of.tokenizer.vocab_size());
    let of_layer = |layer: usize| {
        let parameter = layout.find(&format!("blocks.{layer}.attn.contribution"))?;
        let numbers = &of.parameters[parameter.range.clone()];
        Some(numbers.iter().map(|c| head_gate(*c)).collect())
    };
    (0..of.config.model.n_layers).map(of_layer).collect()
}

/// The run of `before` with `count` more heads in every layer. Each number of a new head is sampled from a normal
/// distribution, with the mean and standard deviation of this number over the heads of the layer.
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

/// The run of `before` without the `count` heads of least `worth` in each layer.
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

/// A number of a new head, sampled like those of the other heads.
fn alike(new: &New, before: &Checkpoint, layout: &Layout) -> f32 {
    let Some(parameter) = layout.find(&new.spec.name()) else { return new.drawn };
    let values = &before.parameters[parameter.range.clone()];
    let columns = parameter.spec.columns();
    let [of_rows, of_columns] = parameter.spec.dims();
    let is_of_rows = of_rows == Dim::Heads;
    let width = if of_columns == Dim::PerHead { 1 } else { before.config.model.d_head() };
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
