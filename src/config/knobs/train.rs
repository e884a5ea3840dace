//! Training, and heads that it adds and drops.

use super::super::knob::{float, int, knob};
use super::super::setting::{Place, at};
use super::super::{Knob, LoraConfig, PruneBy, Range};

pub(super) const KNOBS: &[Knob] = &[
    int(at!(train.steps), "Steps", 1, 10_000_000, "length of the run"),
    int(
        at!(train.records),
        "Training records",
        0,
        10_000_000,
        "different records to train on, the run's first; 0 draws new ones without end",
    ),
    int(at!(train.batch), "Batch size", 1, 8192, "records per micro-batch"),
    int(at!(train.accumulation), "Gradient accumulation", 1, 1024, "micro-batches per step"),
    int(
        at!(train.shards),
        "Shards",
        0,
        64,
        "parts of a micro-batch, a core each; 0 goes by its size; losses depend on it, but not on the number of cores",
    ),
    float(at!(train.lr), "Learning rate", 0.0, 10.0, "learning rate after the warm-up"),
    float(at!(train.min_lr), "Min learning rate", 0.0, 10.0, "learning rate at the last step"),
    int(at!(train.warmup), "Warm-up", 0, 1_000_000, "steps over which the rate grows from 0"),
    float(at!(train.beta1), "Adam β₁", 0.0, 0.9999, "decay of AdamW's first moment"),
    float(at!(train.beta2), "Adam β₂", 0.0, 0.99999, "decay of AdamW's second moment"),
    float(at!(train.weight_decay), "Weight decay", 0.0, 10.0, "pull of matrices towards 0"),
    float(at!(train.clip), "Gradient clipping", 0.0, 1e6, "largest gradient norm; 0 is off"),
    knob(at!(train.frozen), "Freeze weights", Range::Bool, "train only memories"),
    knob(
        at!(train.keep_pruned),
        "Keep pruned weights at 0",
        Range::Bool,
        "keep zeros in the matrices of layers",
    ),
    int(
        at!(train.lora.rank),
        "LoRA rank",
        0,
        256,
        "rank of the changes that are trained in place of the weights; 0 trains the weights",
    ),
    float(at!(train.lora.alpha), "LoRA α", 0.0, 1e4, "scale of these changes, times the rank"),
    knob(
        at!(train.lora.on),
        "LoRA on",
        Range::List(LoraConfig::NAMES),
        "matrices that are changed: queries, keys, values and outputs of attention, in and out of MLPs",
    ),
    int(
        at!(train.heads.every),
        "Check heads every",
        0,
        1_000_000,
        "steps between checks if heads are added or dropped; 0 is never",
    ),
    float(
        at!(train.heads.grow_above),
        "Grow above",
        0.0,
        1.0,
        "mean gate above which every layer gets a head; 1 is never",
    ),
    int(at!(train.heads.max), "Max heads", 1, 64, "heads per layer up to which training adds"),
    float(
        at!(train.heads.prune_below),
        "Prune below",
        0.0,
        1.0,
        "worth below which every layer's least head must be for all to lose it; 0 is never",
    ),
    knob(
        at!(train.heads.prune_by),
        "Prune by",
        Range::Choice(PruneBy::NAMES),
        "worth of a head: its gate, or the loss's gradient to a mask on it, of the layer's mean",
    ),
    int(at!(train.val_every), "Validate every", 1, 1_000_000, "steps between validations"),
    int(at!(train.val_batches), "Validation batches", 1, 1000, "batches per validation"),
    float(
        at!(train.output_l1),
        "Output L1 penalty",
        0.0,
        1e3,
        "weight in the loss of the mean size of the unembedded vector; 0 is off",
    ),
];
