//! Changes to what a model is made of. What can be done is in [`OPERATIONS`], from which the terminal's
//! flags and the page's controls are made.
#![cfg_attr(
    feature = "compute",
    doc = "[`operate`] does it to a checkpoint, and [`compare`] tells what that did to the logits."
)]

#[cfg(feature = "compute")]
mod compare;
#[cfg(feature = "compute")]
mod graft;
#[cfg(feature = "compute")]
mod heads;
#[cfg(feature = "compute")]
mod operate;
#[cfg(feature = "compute")]
mod weights;
#[cfg(feature = "compute")]
mod widen;

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

#[cfg(feature = "compute")]
pub use compare::{Difference, compare, report};
#[cfg(feature = "compute")]
pub use graft::{New, Plan, graft};
#[cfg(feature = "compute")]
pub use heads::{contributions, grow_heads, prune_heads};
#[cfg(feature = "compute")]
pub use operate::{Past, SurgeryError, operate};
#[cfg(feature = "compute")]
use widen::widen;

/// What can be done to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
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
}

/// What is done to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    pub kind: Kind,
    /// What the kind takes: see [`Procedure::takes`].
    pub number: usize,
}

/// Most operations read of a model's history.
pub const MAX_EDITS: usize = 1024;

/// An operation that was done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surgery {
    pub operation: Operation,
    /// Steps that the run had done.
    pub step: usize,
    /// Of one that training did by itself, the validation loss before and after, in nats per character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<[f32; 2]>,
}

/// What is known of an operation before it is done.
#[derive(Clone, Debug)]
pub struct Procedure {
    pub kind: Kind,
    /// The flag at the terminal: `add-layer`.
    pub name: &'static str,
    pub label: &'static str,
    /// What its number is.
    pub takes: &'static str,
    /// Of the number, in any model.
    pub range: RangeInclusive<usize>,
}

const fn operation(
    kind: Kind,
    name: &'static str,
    label: &'static str,
    takes: &'static str,
    range: RangeInclusive<usize>,
) -> Procedure {
    Procedure { kind, name, label, takes, range }
}

/// Every operation, in the order in which they are shown.
pub const OPERATIONS: &[Procedure] = &[
    operation(
        Kind::AddLayer,
        "add-layer",
        "Add a layer",
        "the layer that it goes before, from 0; as many as there are puts it last",
        0..=47,
    ),
    operation(Kind::DropLayer, "drop-layer", "Drop a layer", "the layer, from 0", 0..=47),
    operation(
        Kind::AddHeads,
        "add-heads",
        "Add heads",
        "how many every layer gets; where heads share keys, as many for each key head",
        1..=63,
    ),
    operation(
        Kind::DropHead,
        "drop-head",
        "Drop a head",
        "the head that every layer loses, from 0, with those that share its keys unless all do; no layer \
         can lose one alone",
        0..=63,
    ),
    operation(
        Kind::WidenMlp,
        "widen-mlp",
        "Widen the MLPs",
        "how many hidden numbers every MLP gets",
        1..=8191,
    ),
    operation(
        Kind::Widen,
        "widen",
        "Widen the residual stream",
        "how many times as wide it becomes",
        2..=64,
    ),
    operation(
        Kind::Remember,
        "mlp-to-memory",
        "Put a memory in the place of an MLP",
        "the layer, from 0",
        0..=47,
    ),
    operation(
        Kind::GrowHeads,
        "grow-heads",
        "Grow heads",
        "how many every layer gets, drawn by the mean and the spread of the heads it has",
        1..=63,
    ),
    operation(
        Kind::PruneHeads,
        "prune-heads",
        "Prune heads",
        "how many every layer loses: those that contribute least",
        1..=63,
    ),
    operation(
        Kind::PruneWeights,
        "prune-weights",
        "Prune weights",
        "percent of the weights of layers’ matrices that become 0, the smallest first, and stay 0",
        1..=99,
    ),
    operation(
        Kind::Rewind,
        "rewind",
        "Rewind weights",
        "the step that was kept to whose values weights go back, but for those that are 0",
        0..=10_000_000,
    ),
];

impl Kind {
    pub fn procedure(self) -> &'static Procedure {
        // In the order of the enum, which a test holds.
        &OPERATIONS[self as usize]
    }
}

impl Procedure {
    /// The operation with the number that was typed.
    ///
    /// # Errors
    /// What it takes, if `typed` is not that.
    pub fn read(&self, typed: &str) -> Result<Operation, String> {
        match typed.trim().parse() {
            Ok(number) if self.range.contains(&number) => Ok(Operation { kind: self.kind, number }),
            _ => Err(self.refuse(typed)),
        }
    }

    fn refuse(&self, got: &str) -> String {
        let Self { label, takes, .. } = self;
        let (least, most) = (self.range.start(), self.range.end());
        let got: String = got.chars().take(40).collect();
        format!("{label} takes a whole number from {least} to {most}, not “{got}”: {takes}")
    }
}

/// `Add a layer: 2`
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.kind.procedure().label, self.number)
    }
}
