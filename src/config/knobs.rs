//! Everything that can be set, in one table.

use super::knob::{float, int, knob};
use super::limits::MAX_SEED;
use super::setting::{Place, at};
use super::{
    Distance, Knob, MAX_D_MODEL, MAX_MEMORY_TOKENS, MAX_TEXT_BYTES, MemoryKind, MixerKind, MlpKind,
    NormKind, Positions, PruneBy, Range, RecallRule, TaskKind,
};

/// A knob for noise in what is read in training; what is predicted stays clean.
const fn noise(place: Place, label: &'static str, help: &'static str) -> Knob {
    float(place, label, 0.0, 1.0, help)
}

/// Every knob, in the order in which the page shows them.
pub const KNOBS: &[Knob] = &[
    knob(at!(task.kind), "Task", Range::Choice(TaskKind::NAMES), "what the model is trained on"),
    int(at!(task.phone.lines), "Lines", 1, 5, "names and numbers listed in a record"),
    int(at!(task.phone.names), "Names", 2, 2000, "first names to draw from"),
    knob(
        at!(task.phone.recall),
        "Recall",
        Range::Choice(RecallRule::NAMES),
        "whether the last line repeats a listed number or, as published, a fresh one",
    ),
    float(
        at!(task.phone.abstain),
        "Abstain",
        0.0,
        1.0,
        "share of records that ask for a name from the whole book; the answer to an unlisted one is ?",
    ),
    int(at!(task.facts.facts), "Facts", 10, 5000, "distinct facts to learn"),
    int(
        at!(task.facts.repetitions),
        "Repetitions",
        1,
        4,
        "differently worded records of each generated fact",
    ),
    int(
        at!(task.facts.world),
        "World",
        0,
        1000,
        "0 has true facts; in any other world their answers are dealt anew among the questions",
    ),
    knob(
        at!(task.text.text),
        "Text",
        Range::Text { max_bytes: MAX_TEXT_BYTES },
        "your own text, or JSONL with instruction/output or question/fact/answer",
    ),
    int(at!(task.induction.characters), "Characters", 2, 62, "different characters to draw from"),
    int(at!(task.induction.shortest), "Shortest", 1, 512, "fewest characters that are repeated"),
    int(at!(task.induction.longest), "Longest", 1, 512, "most characters that are repeated"),
    int(at!(task.modular.modulus), "Modulus", 2, 151, "what a sum is taken modulo"),
    float(
        at!(task.modular.share),
        "Trained share",
        0.0,
        1.0,
        "share of all sums that are trained on; the others are held out",
    ),
    int(at!(model.n_layers), "Layers", 1, 48, "transformer blocks"),
    int(
        at!(model.n_heads),
        "Heads",
        1,
        64,
        "attention heads a layer; must divide the width, unless theirs is set",
    ),
    int(
        at!(model.d_model),
        "Width",
        1,
        MAX_D_MODEL as u64,
        "numbers a token in the residual stream",
    ),
    int(
        at!(model.context),
        "Context",
        8,
        2048,
        "longest sequence, in characters and memory tokens",
    ),
    float(at!(model.dropout), "Dropout", 0.0, 0.9, "share of activations dropped while training"),
    knob(
        at!(model.tied_head),
        "Tied head",
        Range::Bool,
        "the output matrix is the embedding transposed",
    ),
    knob(at!(model.bias), "Biases", Range::Bool, "linear layers and LayerNorms have biases"),
    knob(
        at!(model.mixer),
        "Mixer",
        Range::Choice(MixerKind::NAMES),
        "the part of a layer that moves information between tokens",
    ),
    knob(
        at!(model.norm),
        "Norm",
        Range::Choice(NormKind::NAMES),
        "LayerNorm, RMSNorm or nothing before each layer reads",
    ),
    float(
        at!(model.norm_eps),
        "Norm epsilon",
        1e-12,
        0.1,
        "added to what a norm takes the root of",
    ),
    knob(
        at!(model.mlp),
        "MLP",
        Range::Choice(MlpKind::NAMES),
        "what follows the first matrix of the feed-forward layer; none leaves attention alone",
    ),
    int(
        at!(model.d_mlp),
        "MLP width",
        0,
        4 * MAX_D_MODEL as u64,
        "hidden numbers of the feed-forward layer; 0 is four times the width",
    ),
    knob(
        at!(model.positions),
        "Positions",
        Range::Choice(Positions::NAMES),
        "a learned vector a place, queries and keys that turn with it, or nothing",
    ),
    float(at!(model.rope_base), "Rotary base", 1.0, 1e9, "how slow the slowest rotary turn is"),
    int(
        at!(model.kv_heads),
        "Key heads",
        0,
        64,
        "heads of keys and values, shared by those of queries, which they must divide; 0 is one each",
    ),
    int(
        at!(model.d_head),
        "Head width",
        0,
        MAX_D_MODEL as u64,
        "numbers a head; 0 is the width divided by the heads",
    ),
    knob(
        at!(model.qk_norm),
        "QK norm",
        Range::Bool,
        "each head's queries and keys go through an RMSNorm",
    ),
    knob(
        at!(model.contributions),
        "Contributions",
        Range::Bool,
        "what each head writes is weighed by a trained number from 0 to 1",
    ),
    knob(
        at!(model.feedback),
        "Feedback",
        Range::Bool,
        "each layer also reads what the layer above wrote for the token before",
    ),
    float(
        at!(model.init_std),
        "Initial spread",
        0.0,
        1.0,
        "standard deviation of untrained matrices",
    ),
    int(
        at!(model.memory_tokens),
        "Memory tokens",
        0,
        MAX_MEMORY_TOKENS as u64,
        "learned tokens in front of every record, which all others can attend to",
    ),
    knob(
        at!(model.memory.kind),
        "Memory",
        Range::Choice(MemoryKind::NAMES),
        "what layers have in place of their MLP, or `memorizing` beside attention: slots that are found by how \
         near they are",
    ),
    knob(
        at!(model.memory.layers),
        "Memory layers",
        Range::Layers,
        "which layers have a memory, counted from 0, as 1,3; nothing for all",
    ),
    int(at!(model.memory.slots), "Slots", 4, 1 << 22, "most slots a memory layer"),
    int(
        at!(model.memory.d_key),
        "Key width",
        0,
        MAX_D_MODEL as u64,
        "numbers a key of a memory; 0 is the width, and `memorizing` takes that of all heads",
    ),
    int(at!(model.memory.top_k), "Neighbours", 1, 64, "slots that a query finds"),
    knob(
        at!(model.memory.distance),
        "Distance",
        Range::Choice(Distance::NAMES),
        "how far a key is from a query: Euclidean, or 1 less the cosine",
    ),
    float(
        at!(model.memory.threshold),
        "Novelty",
        0.0,
        2.0,
        "a token is written down if no slot is nearer than this; keys have length 1",
    ),
    int(
        at!(model.memory.inserts),
        "Inserts",
        0,
        2048,
        "most tokens of a record that a layer writes down in a step",
    ),
    int(
        at!(model.memory.recombine),
        "Recombine",
        0,
        1_000_000,
        "two slots that come back together more often become one; 0 is never",
    ),
    float(
        at!(model.memory.lambda),
        "kNN-LM share",
        0.0,
        1.0,
        "share of the prediction made of what followed the nearest of what was read before; filled while \
         weights are frozen",
    ),
    int(at!(train.steps), "Steps", 1, 10_000_000, "length of the run"),
    int(at!(train.batch), "Batch", 1, 8192, "records a micro-batch"),
    int(at!(train.accumulation), "Accumulation", 1, 1024, "micro-batches a step"),
    float(at!(train.lr), "Learning rate", 0.0, 10.0, "after the warm-up"),
    float(at!(train.min_lr), "Final rate", 0.0, 10.0, "learning rate at the last step"),
    int(at!(train.warmup), "Warm-up", 0, 1_000_000, "steps over which the rate grows from 0"),
    float(at!(train.beta1), "Beta 1", 0.0, 0.9999, "memory of AdamW's first moment"),
    float(at!(train.beta2), "Beta 2", 0.0, 0.99999, "memory of AdamW's second moment"),
    float(at!(train.weight_decay), "Weight decay", 0.0, 10.0, "pull of matrices towards 0"),
    float(at!(train.clip), "Clip", 0.0, 1e6, "largest gradient norm; 0 is off"),
    knob(
        at!(train.frozen),
        "Frozen",
        Range::Bool,
        "weights stay as they are, and only memories learn",
    ),
    knob(
        at!(train.keep_zeros),
        "Keep zeros",
        Range::Bool,
        "weights of layers’ matrices that are 0 stay 0, as those that were pruned",
    ),
    int(
        at!(train.heads.every),
        "Judge heads every",
        0,
        1_000_000,
        "steps between two looks at whether heads are added or dropped; 0 is never",
    ),
    float(
        at!(train.heads.grow_above),
        "Grow above",
        0.0,
        1.0,
        "every layer gets a head if the mean contribution is above this; 1 is never",
    ),
    int(at!(train.heads.most), "Most heads", 1, 64, "heads a layer up to which training adds"),
    float(
        at!(train.heads.prune_below),
        "Prune below",
        0.0,
        1.0,
        "every layer loses its least head if all of these are worth less than this; 0 is never",
    ),
    knob(
        at!(train.heads.prune_by),
        "Prune by",
        Range::Choice(PruneBy::NAMES),
        "what a head is worth: its contribution, or the loss’s gradient to a mask on it, of the layer’s mean",
    ),
    int(at!(train.val_every), "Validate every", 1, 1_000_000, "steps between validations"),
    int(at!(train.val_batches), "Validation batches", 1, 1000, "batches a validation"),
    float(
        at!(train.output_l1),
        "Output L1",
        0.0,
        1e3,
        "added to the loss: this times the mean size of what is unembedded; 0 is off",
    ),
    noise(at!(noise.forget), "Forget", "largest share of characters hidden from later ones"),
    noise(at!(noise.swap), "Swap", "share of characters that trade places with the next"),
    noise(at!(noise.drop), "Drop", "share of characters left out"),
    noise(at!(noise.insert), "Insert", "share of characters followed by any other"),
    noise(at!(noise.double), "Double", "share of characters written twice"),
    noise(at!(noise.neighbour), "Wrong key", "share of characters hit on a neighbouring key"),
    noise(
        at!(noise.homoglyph),
        "Look-alike",
        "share of characters that become one that looks alike",
    ),
    noise(at!(noise.space), "Spaces", "share of spaces dropped or doubled, and of spaces put in"),
    int(at!(seed), "Seed", 0, MAX_SEED, "decides weights, batches and dropout"),
];

impl Knob {
    /// The knob whose key is `key`.
    pub fn find(key: &str) -> Option<&'static Knob> {
        KNOBS.iter().find(|knob| knob.key == key)
    }
}
