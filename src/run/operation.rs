//! Operations on the structure of a model. [`OPERATIONS`] lists them; the terminal's flags and the page's controls
//! come from it.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::config::{MAX_D_MODEL, MAX_HEADS};

/// Kind of an operation on a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    AddLayer,
    DropLayer,
    AddHeads,
    DropHead,
    WidenMlp,
    Widen,
    Remember,
    GrowHeads,
    PruneHeads,
    PruneWeights,
    Rewind,
    SwitchAdapter,
    MergeAdapter,
    RemoveAdapter,
}

/// An operation on a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    pub kind: OperationKind,
    /// Number with the meaning in [`Procedure::takes`].
    pub number: usize,
}

/// Most operations to read from a model's history.
pub const MAX_EDITS: usize = 1024;

/// An operation in a model's history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppliedOperation {
    pub operation: Operation,
    /// Steps of the run before it.
    pub step: usize,
    /// Validation loss before and after, in nats per character, for an operation by training itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<[f32; 2]>,
}

/// Description of an operation.
#[derive(Clone, Debug)]
pub struct Procedure {
    pub kind: OperationKind,
    /// Flag at the terminal: `add-layer`.
    pub name: &'static str,
    pub label: &'static str,
    /// Meaning of its number.
    pub takes: &'static str,
    /// Range of its number, in any model.
    pub range: RangeInclusive<usize>,
}

const fn operation(
    kind: OperationKind,
    name: &'static str,
    label: &'static str,
    takes: &'static str,
    range: RangeInclusive<usize>,
) -> Procedure {
    // The page gets it from the worker, and is smaller without it.
    let takes = if cfg!(feature = "compute") { takes } else { "" };
    Procedure { kind, name, label, takes, range }
}

/// All operations, in the order of display.
pub const OPERATIONS: &[Procedure] = &[
    operation(
        OperationKind::AddLayer,
        "add-layer",
        "Add a layer",
        "the layer that it goes before, from 0; as many as there are puts it last",
        0..=47,
    ),
    operation(OperationKind::DropLayer, "drop-layer", "Drop a layer", "the layer, from 0", 0..=47),
    operation(
        OperationKind::AddHeads,
        "add-heads",
        "Add heads",
        "how many every layer gets; where heads share keys, as many for each key head",
        1..=MAX_HEADS - 1,
    ),
    operation(
        OperationKind::DropHead,
        "drop-head",
        "Drop a head",
        "the head that every layer loses, from 0, with those that share its keys unless all do; no layer \
         can lose one alone",
        0..=MAX_HEADS - 1,
    ),
    operation(
        OperationKind::WidenMlp,
        "widen-mlp",
        "Widen the MLPs",
        "how many hidden numbers every MLP gets",
        1..=4 * MAX_D_MODEL - 1,
    ),
    operation(
        OperationKind::Widen,
        "widen",
        "Widen the residual stream",
        "how many times as wide it becomes",
        2..=64,
    ),
    operation(
        OperationKind::Remember,
        "mlp-to-memory",
        "Put a memory in the place of an MLP",
        "the layer, from 0",
        0..=47,
    ),
    operation(
        OperationKind::GrowHeads,
        "grow-heads",
        "Grow heads",
        "how many every layer gets, drawn by the mean and the spread of the heads it has",
        1..=MAX_HEADS - 1,
    ),
    operation(
        OperationKind::PruneHeads,
        "prune-heads",
        "Prune heads",
        "how many every layer loses: those that contribute least",
        1..=MAX_HEADS - 1,
    ),
    operation(
        OperationKind::PruneWeights,
        "prune-weights",
        "Prune weights",
        "percent of the weights of layers’ matrices that become 0, the smallest first, and stay 0",
        1..=99,
    ),
    operation(
        OperationKind::Rewind,
        "rewind",
        "Rewind weights",
        "the step that was kept to whose values weights go back, but for those that are 0",
        0..=10_000_000,
    ),
    operation(
        OperationKind::SwitchAdapter,
        "switch-adapter",
        "Switch an adapter on or off",
        "the adapter, from 0; changes of those that are on add up",
        0..=63,
    ),
    operation(
        OperationKind::MergeAdapter,
        "merge-adapter",
        "Merge an adapter",
        "the adapter, from 0, whose changes become part of the weights",
        0..=63,
    ),
    operation(
        OperationKind::RemoveAdapter,
        "remove-adapter",
        "Remove an adapter",
        "the adapter, from 0; the weights stay as they are below it",
        0..=63,
    ),
];

impl OperationKind {
    pub fn procedure(self) -> &'static Procedure {
        // In the order of the enum, as a test checks.
        &OPERATIONS[self as usize]
    }
}

impl Procedure {
    /// Parses the number of the operation.
    ///
    /// # Errors
    /// A message with the meaning of the number, if `typed` is not in its range.
    pub fn read(&self, typed: &str) -> Result<Operation, String> {
        match typed.trim().parse() {
            Ok(number) if self.range.contains(&number) => Ok(Operation { kind: self.kind, number }),
            _ => Err(self.refuse(typed)),
        }
    }

    fn refuse(&self, got: &str) -> String {
        let Self { label, takes, .. } = self;
        let (min, max) = (self.range.start(), self.range.end());
        let got: String = got.chars().take(40).collect();
        let takes = if takes.is_empty() { String::new() } else { format!(": {takes}") };
        format!("{label} takes a whole number from {min} to {max}, not “{got}”{takes}")
    }
}

/// Label and number: `Add a layer: 2`.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.kind.procedure().label, self.number)
    }
}
