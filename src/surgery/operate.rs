//! One operation on a model.

use super::adapters::{merge, remove, switch};
use super::error::SurgeryError;
use super::graft::graft;
use super::heads::{grow_heads, head_gates, prune_heads};
use super::plan::{New, Plan};
use super::weights::{prune, rewind};
use super::widen::widen;
use crate::arch::{PartKind, Role};
use crate::checkpoint::Checkpoint;
use crate::config::{MemoryKind, MemoryLimits};
use crate::run::{AppliedOperation, Operation, OperationKind};

/// Flat parameters of a run at a step, if they were kept.
pub type Past<'a> = &'a dyn Fn(usize) -> Option<Vec<f32>>;

/// The run of `before` with the changed model, and the operation in its history. Added parts write nothing at
/// first and a wider residual stream carries copies, so adding and widening leave the output as it is; all others change
/// it. New parameters are drawn by the run's seed and the operations so far.
///
/// # Errors
/// If the model lacks the part to drop, or the new one does not work on a device with `limits`. Both are found
/// before memory is allocated.
pub fn operate(
    before: &Checkpoint,
    operation: Operation,
    limits: &MemoryLimits,
    past: Past,
) -> Result<Checkpoint, SurgeryError> {
    let Operation { kind, number } = operation;
    // An operation from a message was not parsed from user input, so its range is checked here.
    kind.procedure().read(&number.to_string()).map_err(SurgeryError::Number)?;
    let is_of_adapters = matches!(
        kind,
        OperationKind::SwitchAdapter | OperationKind::MergeAdapter | OperationKind::RemoveAdapter
    );
    if !is_of_adapters && !before.adapters.is_empty() {
        return Err(SurgeryError::Adapters { count: before.adapters.len() });
    }
    let model = &before.config.model;
    let silently = |plan: Result<Plan, _>| {
        let plan = plan?;
        let kind = plan.model.memory.kind;
        graft(before, &plan, limits, |new| silent(new, kind))
    };
    let mut after = match kind {
        OperationKind::AddLayer => silently(Plan::add_layer(model, number)),
        OperationKind::DropLayer => silently(Plan::drop_layer(model, number)),
        OperationKind::AddHeads => silently(Plan::add_heads(model, number)),
        OperationKind::DropHead => silently(Plan::drop_head(model, number)),
        OperationKind::WidenMlp => silently(Plan::widen_mlp(model, number)),
        OperationKind::Remember => silently(Plan::remember(model, number)),
        OperationKind::Widen => widen(before, number, limits),
        OperationKind::GrowHeads => grow_heads(before, number, limits),
        OperationKind::PruneHeads => {
            let worth = head_gates(before).ok_or(SurgeryError::NoHeadGates)?;
            prune_heads(before, &worth, number, limits)
        }
        OperationKind::PruneWeights => Ok(prune(before, number)),
        OperationKind::Rewind => rewind(before, number, past(number)),
        OperationKind::SwitchAdapter => switch(before, number),
        OperationKind::MergeAdapter => merge(before, number),
        OperationKind::RemoveAdapter => remove(before, number),
    }?;
    after.edits.push(AppliedOperation { operation, step: before.step, loss: None });
    Ok(after)
}

/// Initial value of a new parameter: 0 if it writes into the residual stream, else as untrained. An empty store
/// writes nothing by itself.
fn silent(new: &New, kind: MemoryKind) -> f32 {
    let is_store = kind.is_stored() && new.spec.kind == PartKind::Memory;
    if new.spec.role == Role::Writes && !is_store { 0.0 } else { new.drawn }
}
