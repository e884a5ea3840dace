//! What a run is: [`RunConfig`], the [`PRESETS`], and [`KNOBS`], the one table from which the page's
//! controls, the terminal's flags and the keys of a link are made.

mod knobs;
mod presets;
mod setting;
mod task;
mod validate;

use serde::{Deserialize, Serialize};

pub use knobs::{KNOBS, Knob, Range};
pub use presets::{PRESETS, Preset};
pub use task::{
    FactsConfig, InductionConfig, MAX_TEXT_BYTES, ModularConfig, PhoneConfig, TaskConfig,
    TextConfig,
};
pub use validate::{ConfigError, MemoryLimits};

/// Everything that decides what a run computes. Two runs with equal `RunConfig`s on the same
/// device see the same batches and the same losses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    pub task: TaskConfig,
    pub model: ModelConfig,
    pub train: TrainConfig,
    pub noise: NoiseConfig,
    /// Seeds the weights, the batches and the dropout. Kept below 2^53 so that JSON readers keep it.
    pub seed: u64,
}

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
    /// floats: about 34 `d_model` vectors a token and, if activations are dropped, 3 rows of every
    /// head's pattern.
    pub fn training_bytes(&self, vocab_size: usize, batch: usize) -> u64 {
        let tokens = (batch * self.context) as u64;
        let kept = 34 * self.d_model as u64 + 3 * self.pattern_row();
        let logits = 4 * tokens * vocab_size as u64;
        4 * (4 * self.parameters(vocab_size) as u64 + tokens * kept * self.n_layers as u64 + logits)
    }

    /// Floating-point operations of training on a token, the last of `seq`: `6 N + 12 L d T`, of `N`
    /// parameters but for those of positions (Chowdhery et al. 2022, "PaLM", appendix B).
    pub fn operations(&self, vocab_size: usize, seq: usize) -> f64 {
        let multiplied = self.parameters(vocab_size) - self.context * self.d_model;
        (6 * multiplied + 12 * self.n_layers * self.d_model * seq) as f64
    }

    /// Bytes of the largest single tensor while training, which a WebGPU buffer must hold.
    pub fn largest_tensor_bytes(&self, vocab_size: usize, batch: usize) -> u64 {
        let tokens = (batch * self.context) as u64;
        let widest = [
            tokens * self.pattern_row(),
            tokens * self.d_mlp() as u64,
            tokens * vocab_size as u64,
            self.parameters(vocab_size) as u64,
        ];
        4 * widest.into_iter().max().unwrap_or(0)
    }

    /// Numbers that a layer's patterns keep of a token: none, unless a share of them is dropped.
    fn pattern_row(&self) -> u64 {
        if self.dropout > 0.0 { (self.n_heads * self.context) as u64 } else { 0 }
    }
}

/// Noise on what is read in training; see [`noise`](crate::noise). Each but `forget` is the share
/// of characters that it strikes, 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseConfig {
    /// Largest share of a record's characters that later ones do not see.
    pub forget: f64,
    /// Trades places with the next.
    pub swap: f64,
    /// Is left out.
    pub drop: f64,
    /// Is followed by any character.
    pub insert: f64,
    /// Is written twice.
    pub double: f64,
    /// Becomes that of a key beside it.
    pub neighbour: f64,
    /// Becomes one that looks like it.
    pub homoglyph: f64,
    /// White space is dropped or doubled; before another character, a space is put in.
    pub space: f64,
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
