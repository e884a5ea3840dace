//! What a run is: [`RunConfig`], the presets, and [`KNOBS`], the one table from which the page's
//! controls, the terminal's flags and the keys of a link are made.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::task::{RecallRule, TaskKind};

/// Everything that decides what a run computes. Two runs with equal `RunConfig`s on the same
/// device see the same batches and the same losses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    pub task: TaskConfig,
    pub model: ModelConfig,
    pub train: TrainConfig,
    /// Seeds the weights, the batches and the dropout. Kept below 2^53 so that JSON readers keep it.
    pub seed: u64,
}

/// Which task, and the options of each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskConfig {
    pub kind: TaskKind,
    pub phone: PhoneConfig,
    pub facts: FactsConfig,
    pub text: TextConfig,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhoneConfig {
    /// Lines listed before the separator, each a name and a number.
    pub lines: usize,
    /// First names to draw from: the first `names` of the list.
    pub names: usize,
    /// What the line after the separator repeats.
    pub recall: RecallRule,
}

impl Default for PhoneConfig {
    fn default() -> Self {
        Self { lines: 5, names: 2000, recall: RecallRule::True }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FactsConfig {
    /// Distinct facts in the world, hand-written ones first, then generated ones.
    pub facts: usize,
    /// Differently worded records made of each generated fact.
    pub repetitions: usize,
}

impl Default for FactsConfig {
    fn default() -> Self {
        Self { facts: 1000, repetitions: 1 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextConfig {
    /// The user's own text: plain, or JSONL with `instruction`/`output` or
    /// `question`/`fact`/`answer`. At most [`MAX_TEXT_BYTES`].
    pub text: String,
}

/// The largest text a run takes in; it travels in the checkpoint.
pub const MAX_TEXT_BYTES: usize = 4 << 20;

/// nanoGPT's GPT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    pub n_layers: usize,
    pub n_heads: usize,
    /// Width of the residual stream, in numbers per token.
    pub d_model: usize,
    /// Longest sequence, in tokens.
    pub context: usize,
    /// Share of activations dropped in training, 0 to below 1.
    pub dropout: f64,
    /// Whether the unembedding is the embedding transposed.
    pub tied_head: bool,
    /// Whether linear layers and LayerNorms have biases.
    pub bias: bool,
}

impl Default for ModelConfig {
    fn default() -> Self {
        PRESETS[0].model()
    }
}

impl ModelConfig {
    /// Width of one head: `d_model / n_heads`.
    pub fn d_head(&self) -> usize {
        self.d_model / self.n_heads
    }

    /// Width of the hidden layer of the MLP: four times `d_model`.
    pub fn d_mlp(&self) -> usize {
        4 * self.d_model
    }

    /// Number of trained values with a vocabulary of `vocab_size` characters: the matrices
    /// `12·L·d² + V·d + context·d` (and another `V·d` for an untied head), LayerNorm gains
    /// `(2·L + 1)·d`, and biases if there are any.
    pub fn parameters(&self, vocab_size: usize) -> usize {
        let (l, d) = (self.n_layers, self.d_model);
        let heads = if self.tied_head { 1 } else { 2 };
        let biases = if self.bias { l * 9 * d + (2 * l + 1) * d } else { 0 };
        12 * l * d * d + heads * vocab_size * d + self.context * d + (2 * l + 1) * d + biases
    }

    /// Estimated bytes while training with `batch` rows of `context` tokens: parameters,
    /// gradients and two moments, and what the backward pass keeps of each layer in 32-bit
    /// floats (about 34 `d_model` vectors and 3 patterns per token).
    pub fn training_bytes(&self, vocab_size: usize, batch: usize) -> u64 {
        let tokens = (batch * self.context) as u64;
        let kept = 34 * self.d_model as u64 + 3 * (self.n_heads * self.context) as u64;
        let logits = 4 * tokens * vocab_size as u64;
        4 * (4 * self.parameters(vocab_size) as u64 + tokens * kept * self.n_layers as u64 + logits)
    }

    /// Bytes of the largest single tensor while training, which a WebGPU buffer must hold.
    pub fn largest_tensor_bytes(&self, vocab_size: usize, batch: usize) -> u64 {
        let tokens = (batch * self.context) as u64;
        let widest = [
            tokens * (self.n_heads * self.context) as u64,
            tokens * self.d_mlp() as u64,
            tokens * vocab_size as u64,
            (self.d_model * self.d_mlp()) as u64,
        ];
        4 * widest.into_iter().max().unwrap_or(0)
    }
}

/// AdamW with warm-up and cosine decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Length of the run, in steps.
    pub steps: usize,
    /// Records a micro-batch.
    pub batch: usize,
    /// Micro-batches whose gradients are averaged into one step.
    pub accumulation: usize,
    /// Learning rate after the warm-up.
    pub lr: f64,
    /// Learning rate at the last step.
    pub min_lr: f64,
    /// Steps over which the learning rate grows from 0.
    pub warmup: usize,
    pub beta1: f64,
    pub beta2: f64,
    /// Decay of matrices; gains and biases are not decayed.
    pub weight_decay: f64,
    /// Largest gradient norm; a larger one is scaled down to it. 0 turns clipping off.
    pub clip: f64,
    /// Steps between two validations.
    pub val_every: usize,
    /// Batches a validation.
    pub val_batches: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        PRESETS[0].train()
    }
}

/// A named size, with the batch and learning rate that train it well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    pub name: &'static str,
    pub n_layers: usize,
    pub n_heads: usize,
    pub d_model: usize,
    pub batch: usize,
    pub lr: f64,
    pub steps: usize,
}

/// The sizes of the published study. Their counts, of matrices and with 81 characters, are
/// 1,732, 29,968, 207,392 and 63.1 million.
pub const PRESETS: &[Preset] = &[
    Preset { name: "1.7k", n_layers: 2, n_heads: 2, d_model: 4, batch: 16, lr: 1e-2, steps: 2000 },
    Preset { name: "30k", n_layers: 8, n_heads: 8, d_model: 16, batch: 16, lr: 4e-3, steps: 2000 },
    Preset {
        name: "207k",
        n_layers: 16,
        n_heads: 16,
        d_model: 32,
        batch: 16,
        lr: 2e-3,
        steps: 2000,
    },
    Preset {
        name: "63m",
        n_layers: 20,
        n_heads: 16,
        d_model: 512,
        batch: 32,
        lr: 6e-4,
        steps: 20000,
    },
];

impl Preset {
    pub fn find(name: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// The preset whose layers, heads and width `model` has.
    pub fn of(model: &ModelConfig) -> Option<&'static Preset> {
        PRESETS.iter().find(|p| {
            (p.n_layers, p.n_heads, p.d_model) == (model.n_layers, model.n_heads, model.d_model)
        })
    }

    pub const fn model(&self) -> ModelConfig {
        ModelConfig {
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            d_model: self.d_model,
            context: 256,
            dropout: 0.0,
            tied_head: true,
            bias: false,
        }
    }

    pub const fn train(&self) -> TrainConfig {
        TrainConfig {
            steps: self.steps,
            batch: self.batch,
            accumulation: 1,
            lr: self.lr,
            min_lr: self.lr / 10.0,
            warmup: 100,
            beta1: 0.9,
            beta2: 0.95,
            weight_decay: 0.1,
            clip: 1.0,
            val_every: 100,
            val_batches: 4,
        }
    }

    /// Puts this preset's sizes and training settings into `config`; the task and seed stay.
    pub fn apply(&self, config: &mut RunConfig) {
        config.model = self.model();
        config.train = self.train();
    }
}

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
    int("model.n_heads", "Heads", 1, 64, "attention heads a layer; must divide the width"),
    int("model.d_model", "Width", 1, MAX_D_MODEL as u64, "numbers a token in the residual stream"),
    int("model.context", "Context", 8, 2048, "longest sequence, in characters"),
    float("model.dropout", "Dropout", 0.0, 0.9, "share of activations dropped while training"),
    flag("model.tied_head", "Tied head", "the output matrix is the embedding transposed"),
    flag("model.bias", "Biases", "linear layers and LayerNorms have biases"),
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
    int("seed", "Seed", 0, MAX_SEED, "decides weights, batches and dropout"),
];

const MAX_SEED: u64 = (1 << 53) - 1;
const MAX_D_MODEL: usize = 2048;

/// Why a configuration is refused before anything runs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no knob `{0}`; the knobs are the keys that `confab train --help` lists")]
    Unknown(String),
    #[error("{label} ({key}) was set to `{got}`, but takes {takes}")]
    Range { key: &'static str, label: &'static str, got: String, takes: String },
    #[error(
        "Width (model.d_model) {d_model} is not divisible by Heads (model.n_heads) {n_heads}; \
         {works} heads or a width of {width} would work"
    )]
    Heads { d_model: usize, n_heads: usize, works: usize, width: usize },
    #[error(
        "Context (model.context) is {context} tokens, shorter than the longest record of the task \
         ({longest}); set it to {longest} or more"
    )]
    Context { context: usize, longest: usize },
    #[error(
        "the run needs about {needs} MiB, more than the {has} MiB {what}; \
         a Batch (train.batch) of {works} would fit{hint}"
    )]
    Memory { needs: u64, has: u64, what: &'static str, works: usize, hint: &'static str },
    #[error("the task cannot be made: {0}")]
    Task(String),
}

impl Knob {
    pub fn find(key: &str) -> Option<&'static Knob> {
        KNOBS.iter().find(|knob| knob.key == key)
    }

    /// The flag at the terminal: `--n-layers` for `model.n_layers`.
    pub fn flag(&self) -> String {
        let name = self.key.rsplit('.').next().unwrap_or(self.key);
        if self.key == "task.kind" { "task".into() } else { name.replace('_', "-") }
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

    fn read(&self, config: &Value) -> String {
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
    fn accept(&self, text: &str) -> Result<Value, ConfigError> {
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

impl RunConfig {
    /// Checks every knob's range and what must hold between knobs, without making the task.
    ///
    /// # Errors
    /// The first knob that does not work, with a value that would.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let json = serde_json::to_value(self).unwrap_or_default();
        for knob in KNOBS {
            knob.accept(&knob.read(&json))?;
        }
        let ModelConfig { d_model, n_heads, .. } = self.model;
        if d_model % n_heads != 0 {
            let works = (1..=n_heads).rev().find(|h| d_model % h == 0).unwrap_or(1);
            let wider = d_model.next_multiple_of(n_heads);
            let width = if wider > MAX_D_MODEL { wider - n_heads } else { wider };
            return Err(ConfigError::Heads { d_model, n_heads, works, width });
        }
        Ok(())
    }

    /// Checks that sequences fit: `longest` is the task's longest record, in tokens.
    pub fn validate_context(&self, longest: usize) -> Result<(), ConfigError> {
        let context = self.model.context;
        if context < longest { Err(ConfigError::Context { context, longest }) } else { Ok(()) }
    }

    /// Checks the estimated memory against what a device offers.
    pub fn validate_memory(
        &self,
        vocab_size: usize,
        limits: &MemoryLimits,
    ) -> Result<(), ConfigError> {
        let over = |batch: usize| {
            let total = self.model.training_bytes(vocab_size, batch);
            let single = self.model.largest_tensor_bytes(vocab_size, batch);
            if total > limits.total {
                Some((total, limits.total, "this device is taken to have"))
            } else if single > limits.buffer {
                Some((single, limits.buffer, "a single buffer of this device may hold"))
            } else {
                None
            }
        };
        let Some((needs, has, what)) = over(self.train.batch) else { return Ok(()) };
        let works = (1..self.train.batch).rev().find(|batch| over(*batch).is_none());
        let hint = if works.is_none() { " only with a smaller Width or fewer Layers" } else { "" };
        let works = works.unwrap_or(1);
        Err(ConfigError::Memory { needs: needs >> 20, has: has >> 20, what, works, hint })
    }
}

/// What a device offers, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryLimits {
    pub total: u64,
    pub buffer: u64,
}
