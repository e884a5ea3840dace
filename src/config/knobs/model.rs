//! The model, but for its external memory.

use super::super::knob::{float, int, knob};
use super::super::setting::{Place, at};
use super::super::{
    BlockKind, Knob, MAX_D_MODEL, MAX_HEADS, MAX_LAYERS, MAX_MEMORY_TOKENS, MixerKind, MlpKind,
    NormKind, Positions, Range,
};

pub(super) const KNOBS: &[Knob] = &[
    int(at!(model.n_layers), "Layers", 1, MAX_LAYERS as u64, "transformer blocks"),
    int(
        at!(model.n_heads),
        "Heads",
        1,
        MAX_HEADS as u64,
        "attention heads per layer; must divide the width, unless head dim is set",
    ),
    int(
        at!(model.d_model),
        "Width (d_model)",
        1,
        MAX_D_MODEL as u64,
        "numbers per token in the residual stream",
    ),
    int(at!(model.context), "Context", 8, 2048, "longest sequence, in tokens"),
    float(at!(model.dropout), "Dropout", 0.0, 0.9, "share of activations dropped in training"),
    knob(
        at!(model.tied_head),
        "Tie embeddings",
        Range::Bool,
        "unembed with the transposed embedding",
    ),
    knob(at!(model.bias), "Biases", Range::Bool, "biases in linear layers and LayerNorms"),
    knob(
        at!(model.mixer),
        "Mixer",
        Range::ByLayer(MixerKind::NAMES),
        "the part of a layer that moves information between tokens, of all layers or by layer",
    ),
    int(
        at!(model.window),
        "Window",
        1,
        2048,
        "tokens that the mixer window sees, each its own among them",
    ),
    knob(
        at!(model.block),
        "Block",
        Range::Choice(BlockKind::NAMES),
        "the MLP reads what the mixer has written, or both read the same",
    ),
    float(
        at!(model.ridge),
        "Ridge",
        0.01,
        100.0,
        "weight of the squared weights in the least squares of intention and mesa, before training",
    ),
    knob(
        at!(model.ridge_trained),
        "Train ridge",
        Range::Bool,
        "train intention's ridge, a number per head",
    ),
    int(
        at!(model.conv_width),
        "Conv width",
        2,
        16,
        "tokens that a convolution reads, with the one that it writes to",
    ),
    knob(
        at!(model.norm),
        "Norm",
        Range::Choice(NormKind::NAMES),
        "LayerNorm, RMSNorm, ScaleNorm or nothing before each layer",
    ),
    float(at!(model.norm_eps), "Norm epsilon", 1e-12, 0.1, "number added under a norm's root"),
    knob(
        at!(model.mlp),
        "MLP",
        Range::Choice(MlpKind::NAMES),
        "activation of the MLP; none leaves attention alone",
    ),
    int(
        at!(model.d_mlp),
        "MLP width",
        0,
        4 * MAX_D_MODEL as u64,
        "hidden numbers of the MLP; 0 is four times the width",
    ),
    knob(
        at!(model.positions),
        "Position encoding",
        Range::Choice(Positions::NAMES),
        "a learned vector per place, rotary queries and keys (RoPE), these with a decay (xPos), or nothing",
    ),
    float(at!(model.rope_base), "RoPE base", 1.0, 1e9, "tokens in the slowest turn, over 2π"),
    float(
        at!(model.xpos_base),
        "xPos base",
        8.0,
        1e9,
        "distance, in tokens, over which the fastest turning numbers of queries and keys shrink to 0.29",
    ),
    int(
        at!(model.kv_heads),
        "KV heads",
        0,
        MAX_HEADS as u64,
        "heads of keys and values, shared evenly by those of queries; 0 is one each",
    ),
    int(
        at!(model.d_head),
        "Head dim (d_head)",
        0,
        MAX_D_MODEL as u64,
        "numbers per head; 0 is the width divided by the heads",
    ),
    knob(at!(model.qk_norm), "QK norm", Range::Bool, "an RMSNorm on each head's queries and keys"),
    knob(
        at!(model.head_gates),
        "Head gates",
        Range::Bool,
        "scale each head's output by a trained number from 0 to 1",
    ),
    knob(
        at!(model.feedback),
        "Feedback",
        Range::Bool,
        "feed each layer the output of the one above at the token before",
    ),
    float(at!(model.init_std), "Init std", 0.0, 1.0, "standard deviation of untrained matrices"),
    int(
        at!(model.memory_tokens),
        "Memory tokens",
        0,
        MAX_MEMORY_TOKENS as u64,
        "learned tokens before every record, which all others can attend to",
    ),
];
