//! Everything that can be set, in one table.

use serde_json::Value;

use super::{ConfigError, MAX_TEXT_BYTES, MlpKind, NormKind, Positions, RunConfig};
use crate::task::{RecallRule, TaskKind};

/// One thing a user can set.
#[derive(Clone, Copy, Debug)]
pub struct Knob {
    /// Path in [`RunConfig`]: `model.n_layers`. The key of a link.
    pub key: &'static str,
    /// Name of the control.
    pub label: &'static str,
    /// What it does and in what unit.
    pub help: &'static str,
    pub range: Range,
}

/// What a knob may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    Int { min: u64, max: u64 },
    Float { min: f64, max: f64 },
    Bool,
    Choice(&'static [&'static str]),
    Text { max_bytes: usize },
}

const fn int(
    key: &'static str,
    label: &'static str,
    min: u64,
    max: u64,
    help: &'static str,
) -> Knob {
    Knob { key, label, help, range: Range::Int { min, max } }
}

const fn float(
    key: &'static str,
    label: &'static str,
    min: f64,
    max: f64,
    help: &'static str,
) -> Knob {
    Knob { key, label, help, range: Range::Float { min, max } }
}

const fn flag(key: &'static str, label: &'static str, help: &'static str) -> Knob {
    Knob { key, label, help, range: Range::Bool }
}

const fn choice(
    key: &'static str,
    label: &'static str,
    choices: &'static [&'static str],
    help: &'static str,
) -> Knob {
    Knob { key, label, help, range: Range::Choice(choices) }
}

/// Of what is read in training; what is predicted stays clean.
const fn noise(key: &'static str, label: &'static str, help: &'static str) -> Knob {
    float(key, label, 0.0, 1.0, help)
}

/// Every knob, in the order in which the page shows them.
pub const KNOBS: &[Knob] = &[
    choice("task.kind", "Task", TaskKind::NAMES, "what the model is trained on"),
    int("task.phone.lines", "Lines", 1, 5, "names and numbers listed in a record"),
    int("task.phone.names", "Names", 2, 2000, "first names to draw from"),
    choice(
        "task.phone.recall",
        "Recall",
        RecallRule::NAMES,
        "whether the last line repeats a listed number or, as published, a fresh one",
    ),
    float(
        "task.phone.abstain",
        "Abstain",
        0.0,
        1.0,
        "share of records that ask for a name from the whole book; the answer to an unlisted one is ?",
    ),
    int("task.facts.facts", "Facts", 10, 5000, "distinct facts to learn"),
    int(
        "task.facts.repetitions",
        "Repetitions",
        1,
        4,
        "differently worded records of each generated fact",
    ),
    Knob {
        key: "task.text.text",
        label: "Text",
        help: "your own text, or JSONL with instruction/output or question/fact/answer",
        range: Range::Text { max_bytes: MAX_TEXT_BYTES },
    },
    int("model.n_layers", "Layers", 1, 48, "transformer blocks"),
    int(
        "model.n_heads",
        "Heads",
        1,
        64,
        "attention heads a layer; must divide the width, unless theirs is set",
    ),
    int("model.d_model", "Width", 1, MAX_D_MODEL as u64, "numbers a token in the residual stream"),
    int("model.context", "Context", 8, 2048, "longest sequence, in characters"),
    float("model.dropout", "Dropout", 0.0, 0.9, "share of activations dropped while training"),
    flag("model.tied_head", "Tied head", "the output matrix is the embedding transposed"),
    flag("model.bias", "Biases", "linear layers and LayerNorms have biases"),
    choice(
        "model.norm",
        "Norm",
        NormKind::NAMES,
        "LayerNorm, RMSNorm or nothing before each layer reads",
    ),
    float("model.norm_eps", "Norm epsilon", 1e-12, 0.1, "added to what a norm takes the root of"),
    choice(
        "model.mlp",
        "MLP",
        MlpKind::NAMES,
        "what follows the first matrix of the feed-forward layer; none leaves attention alone",
    ),
    int(
        "model.d_mlp",
        "MLP width",
        0,
        4 * MAX_D_MODEL as u64,
        "hidden numbers of the feed-forward layer; 0 is four times the width",
    ),
    choice(
        "model.positions",
        "Positions",
        Positions::NAMES,
        "a learned vector a place, queries and keys that turn with it, or nothing",
    ),
    float("model.rope_base", "Rotary base", 1.0, 1e9, "how slow the slowest rotary turn is"),
    int(
        "model.kv_heads",
        "Key heads",
        0,
        64,
        "heads of keys and values, shared by those of queries, which they must divide; 0 is one each",
    ),
    int(
        "model.d_head",
        "Head width",
        0,
        MAX_D_MODEL as u64,
        "numbers a head; 0 is the width divided by the heads",
    ),
    flag("model.qk_norm", "QK norm", "each head's queries and keys go through an RMSNorm"),
    int("train.steps", "Steps", 1, 10_000_000, "length of the run"),
    int("train.batch", "Batch", 1, 4096, "records a micro-batch"),
    int("train.accumulation", "Accumulation", 1, 1024, "micro-batches a step"),
    float("train.lr", "Learning rate", 0.0, 10.0, "after the warm-up"),
    float("train.min_lr", "Final rate", 0.0, 10.0, "learning rate at the last step"),
    int("train.warmup", "Warm-up", 0, 1_000_000, "steps over which the rate grows from 0"),
    float("train.beta1", "Beta 1", 0.0, 0.9999, "memory of AdamW's first moment"),
    float("train.beta2", "Beta 2", 0.0, 0.99999, "memory of AdamW's second moment"),
    float("train.weight_decay", "Weight decay", 0.0, 10.0, "pull of matrices towards 0"),
    float("train.clip", "Clip", 0.0, 1e6, "largest gradient norm; 0 is off"),
    int("train.val_every", "Validate every", 1, 1_000_000, "steps between validations"),
    int("train.val_batches", "Validation batches", 1, 1000, "batches a validation"),
    float(
        "train.output_l1",
        "Output L1",
        0.0,
        1e3,
        "added to the loss: this times the mean size of what is unembedded; 0 is off",
    ),
    noise("noise.forget", "Forget", "largest share of characters hidden from later ones"),
    noise("noise.swap", "Swap", "share of characters that trade places with the next"),
    noise("noise.drop", "Drop", "share of characters left out"),
    noise("noise.insert", "Insert", "share of characters followed by any other"),
    noise("noise.double", "Double", "share of characters written twice"),
    noise("noise.neighbour", "Wrong key", "share of characters hit on a neighbouring key"),
    noise("noise.homoglyph", "Look-alike", "share of characters that become one that looks alike"),
    noise("noise.space", "Spaces", "share of spaces dropped or doubled, and of spaces put in"),
    int("seed", "Seed", 0, MAX_SEED, "decides weights, batches and dropout"),
];

const MAX_SEED: u64 = (1 << 53) - 1;
pub(super) const MAX_D_MODEL: usize = 2048;
/// Widest that all heads of a layer may be together, for any model's size to fit 32 bits.
pub(super) const MAX_HEADS_WIDTH: usize = 2 * MAX_D_MODEL;

impl Knob {
    pub fn find(key: &str) -> Option<&'static Knob> {
        KNOBS.iter().find(|knob| knob.key == key)
    }

    /// The flag at the terminal: `--n-layers` for `model.n_layers`, `--noise-swap` for `noise.swap`.
    pub fn flag(&self) -> String {
        let name = match self.key.rsplit_once('.') {
            Some(("task", _)) => "task",
            Some(("noise", _)) | None => self.key,
            Some((_, name)) => name,
        };
        name.replace(['_', '.'], "-")
    }

    /// Which task's option this is, if it is one.
    pub fn task(&self) -> Option<TaskKind> {
        let kind = self.key.strip_prefix("task.")?.split('.').next()?;
        TaskKind::parse(kind)
    }

    /// The value of this knob in `config`, as a user would type it.
    pub fn get(&self, config: &RunConfig) -> String {
        self.read(&serde_json::to_value(config).unwrap_or_default())
    }

    pub(super) fn read(&self, config: &Value) -> String {
        match config.pointer(&self.pointer()) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        }
    }

    /// Sets this knob in `config` from what a user typed.
    ///
    /// # Errors
    /// [`ConfigError::Range`] if `text` is not a value of this knob; `config` is then unchanged.
    pub fn set(&self, config: &mut RunConfig, text: &str) -> Result<(), ConfigError> {
        let value = self.accept(text)?;
        let mut json = serde_json::to_value(&*config).map_err(|_| self.refuse(text))?;
        let place = json.pointer_mut(&self.pointer()).ok_or_else(|| self.refuse(text))?;
        *place = value;
        *config = serde_json::from_value(json).map_err(|_| self.refuse(text))?;
        Ok(())
    }

    /// The value that `text` is, if it is in this knob's range.
    pub(super) fn accept(&self, text: &str) -> Result<Value, ConfigError> {
        let trimmed = text.trim();
        let value = match self.range {
            Range::Int { min, max } => {
                trimmed.parse().ok().filter(|v| (min..=max).contains(v)).map(Value::from)
            }
            Range::Float { min, max } => {
                trimmed.parse().ok().filter(|v| (min..=max).contains(v)).map(Value::from)
            }
            Range::Bool => trimmed.parse::<bool>().ok().map(Value::from),
            Range::Choice(choices) => choices.contains(&trimmed).then(|| Value::from(trimmed)),
            Range::Text { max_bytes } => (text.len() <= max_bytes).then(|| Value::from(text)),
        };
        value.ok_or_else(|| self.refuse(text))
    }

    fn pointer(&self) -> String {
        format!("/{}", self.key.replace('.', "/"))
    }

    fn refuse(&self, got: &str) -> ConfigError {
        let mut got: String = got.chars().take(40).collect();
        if got.is_empty() {
            got = "nothing".into();
        }
        ConfigError::Range { key: self.key, label: self.label, got, takes: self.range.describe() }
    }
}

impl Range {
    pub fn describe(&self) -> String {
        match self {
            Range::Int { min, max } => format!("a whole number from {min} to {max}"),
            Range::Float { min, max } => format!("a number from {min} to {max}"),
            Range::Bool => "true or false".into(),
            Range::Choice(choices) => format!("one of {}", choices.join(", ")),
            Range::Text { max_bytes } => format!("text of at most {} KiB", max_bytes >> 10),
        }
    }
}
