//! Changes to a model's memory.

use serde::{Deserialize, Serialize};

/// A change to a model's memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MemoryChange {
    Slots(SlotChange),
    /// Keeps a copy under this name until the session ends.
    PutAside(String),
    /// Replaces the memory with the copy of this name.
    Swap(String),
    /// Teaches the memories a text, with the weights unchanged.
    Teach(String),
}

/// A manual change to the slots of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SlotChange {
    /// Drops slots of a layer: these or, if none are named, all that were written by a text containing
    /// `written_by`.
    Remove { layer: usize, slots: Vec<u64>, written_by: String },
    /// Copies the value of slot `other` to `slot`.
    Like { layer: usize, slot: u64, other: u64 },
    /// Sets the value of a slot.
    Value { layer: usize, slot: u64, value: Vec<f32> },
    /// Drops all slots of all layers.
    Empty,
}
