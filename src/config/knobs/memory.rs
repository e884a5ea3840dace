//! The external memory of layers.

use super::super::knob::{float, int, knob};
use super::super::setting::{Place, at};
use super::super::{Distance, Knob, MAX_D_MODEL, MemoryKind, Range};

pub(super) const KNOBS: &[Knob] = &[
    knob(
        at!(model.memory.kind),
        "Memory",
        Range::Choice(MemoryKind::NAMES),
        "slots found by distance, in place of the MLP, or `memorizing` beside attention",
    ),
    knob(
        at!(model.memory.layers),
        "Memory layers",
        Range::Layers,
        "layers with a memory, counted from 0, as 1,3; empty is all",
    ),
    int(at!(model.memory.slots), "Slots", 4, 1 << 22, "most slots per layer"),
    int(
        at!(model.memory.d_key),
        "Key width",
        0,
        MAX_D_MODEL as u64,
        "numbers per key; 0 is the width, and `memorizing` takes that of all heads",
    ),
    int(at!(model.memory.top_k), "Neighbours", 1, 64, "slots that a query retrieves"),
    knob(
        at!(model.memory.distance),
        "Distance",
        Range::Choice(Distance::NAMES),
        "distance of a key from a query: Euclidean, or 1 − cosine",
    ),
    float(
        at!(model.memory.write_threshold),
        "Write threshold",
        0.0,
        2.0,
        "distance to the nearest slot above which a token is written; keys have length 1",
    ),
    int(
        at!(model.memory.max_writes),
        "Max writes a step",
        0,
        2048,
        "most tokens of a record that a layer writes",
    ),
    int(
        at!(model.memory.merge_after),
        "Merge after",
        0,
        1_000_000,
        "times two slots are retrieved together before they merge; 0 is never",
    ),
    float(
        at!(model.memory.lambda),
        "kNN-LM share",
        0.0,
        1.0,
        "share of the prediction made by the memory at the output; filled while weights are frozen",
    ),
];
