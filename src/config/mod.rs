//! What a run is: [`RunConfig`], the [`PRESETS`], and [`KNOBS`], the one table from which the page's
//! controls, the terminal's flags and the keys of a link are made.

mod heads;
mod knobs;
mod memory;
mod presets;
mod setting;
mod task;
mod validate;
mod variants;

use serde::{Deserialize, Serialize};

pub use heads::{HeadsConfig, PruneBy};
pub use knobs::{KNOBS, Knob, MAX_MEMORY_TOKENS, Range};
pub use memory::{MemoryConfig, MemoryKind};
pub use presets::{PRESETS, Preset};
pub use task::{
    FactsConfig, InductionConfig, MAX_TEXT_BYTES, ModularConfig, PhoneConfig, TaskConfig,
    TextConfig,
};
pub use validate::{ConfigError, MemoryLimits};
pub use variants::{Distance, MlpKind, NormKind, Positions};

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

/// nanoGPT's GPT, and what may differ from it.
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
    pub norm: NormKind,
    /// Added to what a norm takes the root of.
    pub norm_eps: f64,
    pub mlp: MlpKind,
    /// Width of the hidden layer of the MLP; 0 for four times `d_model`.
    pub d_mlp: usize,
    pub positions: Positions,
    /// Rotary positions: the slowest turn takes about `2π · rope_base` tokens.
    pub rope_base: f64,
    /// Heads of keys and values, each read by as many heads of queries; 0 for one each.
    pub kv_heads: usize,
    /// Width of one head; 0 for `d_model / n_heads`.
    pub d_head: usize,
    /// Whether each head's queries and keys go through an RMSNorm of their own.
    pub qk_norm: bool,
    /// Whether what each head writes is multiplied by σ(c), of a trained number c of its own.
    pub contributions: bool,
    /// Whether each layer but the last also reads what the layer above wrote at the token before, as a
    /// constant (after Fan et al. 2020, "Addressing some limitations of
    /// transformers with feedback memory").
    pub feedback: bool,
    /// Standard deviation of untrained matrices; that of the two projections into the residual stream is
    /// divided by `sqrt(2 · n_layers)` (Radford et al. 2019, section 2.3).
    pub init_std: f64,
    /// Learned tokens in front of every sequence, for all others to attend to; they take the first
    /// places of the context.
    pub memory_tokens: usize,
    pub memory: MemoryConfig,
}

impl Default for ModelConfig {
    fn default() -> Self {
        PRESETS[0].model()
    }
}

impl ModelConfig {
    /// Width of one head.
    pub fn d_head(&self) -> usize {
        if self.d_head > 0 { self.d_head } else { self.d_model / self.n_heads }
    }

    /// Heads of keys and values.
    pub fn kv_heads(&self) -> usize {
        if self.kv_heads > 0 { self.kv_heads } else { self.n_heads }
    }

    /// Whether a layer reads from the one above it: a model of one layer has none.
    pub fn feeds_back(&self) -> bool {
        self.feedback && self.n_layers > 1
    }

    /// Width of the hidden layer of the MLP.
    pub fn d_mlp(&self) -> usize {
        if self.d_mlp > 0 { self.d_mlp } else { 4 * self.d_model }
    }

    /// Numbers a key of a memory layer.
    pub fn d_key(&self) -> usize {
        if self.memory.d_key > 0 { self.memory.d_key } else { self.d_model }
    }

    /// Numbers a key, and a value, of a memory layer's store.
    pub fn d_slot(&self) -> usize {
        match self.memory.kind {
            MemoryKind::Memorizing => self.n_heads * self.d_head(),
            _ => self.d_key(),
        }
    }

    /// Tokens in the vocabulary of a model whose records are made of this many characters.
    pub fn vocab_size(&self, characters: usize) -> usize {
        characters + self.memory_tokens
    }

    /// Number of trained values with a vocabulary of `vocab_size` tokens. By default, the
    /// matrices are `12·L·d² + V·d + context·d` (and another `V·d` for an untied head), the gains of
    /// LayerNorms `(2·L + 1)·d`.
    pub fn parameters(&self, vocab_size: usize) -> usize {
        let (d, d_head, d_mlp) = (self.d_model, self.d_head(), self.d_mlp());
        let (read, kept) = (self.n_heads * d_head, self.kv_heads() * d_head);
        let of_norm = match self.norm {
            NormKind::Layer => d + if self.bias { d } else { 0 },
            NormKind::Rms => d,
            NormKind::None => 0,
        };
        let turned = if self.qk_norm { 2 * d_head } else { 0 };
        let biases = if self.bias { read + 2 * kept + d } else { 0 };
        let weighed = if self.contributions { self.n_heads } else { 0 };
        let attention = 2 * d * (read + kept) + of_norm + turned + weighed + biases;
        let of_mlp = match self.mlp {
            MlpKind::None => 0,
            mlp => {
                let matrices = mlp.matrices();
                let biases = if self.bias { (matrices - 1) * d_mlp + d } else { 0 };
                of_norm + matrices * d * d_mlp + biases
            }
        };
        let feed_forward = |layer| match self.memory.of(layer) {
            Some(kind) if kind.replaces_mlp() => of_norm + self.memory_parameters(kind),
            Some(kind) => of_mlp + self.memory_parameters(kind),
            None => of_mlp,
        };
        let embeddings = if self.tied_head { 1 } else { 2 } * vocab_size * d;
        let layers: usize = (0..self.n_layers).map(feed_forward).sum();
        embeddings + self.position_parameters() + self.n_layers * attention + layers + of_norm
    }

    /// Trained values of a memory layer: those of its projections, or of its heads' gates, and one for how
    /// sharply it weighs.
    fn memory_parameters(&self, kind: MemoryKind) -> usize {
        let (d, d_key) = (self.d_model, self.d_key());
        let bias = |width| if self.bias { width } else { 0 };
        let read = d * d_key + bias(d_key);
        let write = d_key * d + bias(d);
        match kind {
            MemoryKind::None => 0,
            MemoryKind::Featural => read + write + 1,
            MemoryKind::Associative => 3 * read + write + 1,
            MemoryKind::ProductKey => {
                let half = self.memory.half_keys();
                read + half * d_key + half * half * d
            }
            MemoryKind::Memorizing => self.n_heads + 1,
        }
    }

    /// Most numbers that the stores of memory layers and of the output hold.
    pub fn stored(&self) -> usize {
        let has = |layer: &usize| self.memory.of(*layer).is_some_and(MemoryKind::is_stored);
        let of_output = if self.memory.lambda > 0.0 { self.d_model + 1 } else { 0 };
        let of_layers = (0..self.n_layers).filter(has).count() * 2 * self.d_slot();
        self.memory.slots * (of_layers + of_output)
    }

    /// Trained values of places, which no token is multiplied by.
    pub fn position_parameters(&self) -> usize {
        if self.positions == Positions::Learned { self.context * self.d_model } else { 0 }
    }

    /// Estimated bytes while training with `batch` rows of `context` tokens: parameters,
    /// gradients and two moments, and what the backward pass keeps of each layer in 32-bit
    /// floats: of each token about 8 vectors as wide as the residual stream, 10 as all heads and 2
    /// as the hidden layer for each of the MLP's matrices; if activations are dropped, 3 rows of
    /// every head's pattern; with feedback, 2 more of the stream: what is fed back, and was by the
    /// pass before.
    pub fn training_bytes(&self, vocab_size: usize, batch: usize) -> u64 {
        let tokens = (batch * self.context) as u64;
        let streams = if self.feeds_back() { 10 } else { 8 };
        let vectors = streams * self.d_model
            + 10 * self.n_heads * self.d_head()
            + 2 * self.mlp.matrices() * self.d_mlp();
        let kept = vectors as u64 + 3 * self.pattern_row();
        let logits = 4 * tokens * vocab_size as u64;
        // What a memory finds, and what is made of it.
        let found = match self.memory.kind {
            MemoryKind::None => 0,
            _ => 8 * tokens * (self.memory.top_k * self.d_slot()) as u64,
        };
        let found = found * self.n_layers as u64 + 4 * self.stored() as u64;
        4 * (found
            + 4 * self.parameters(vocab_size) as u64
            + tokens * kept * self.n_layers as u64
            + logits)
    }

    /// Floating-point operations of training on a token, the last of `seq`: `6 N + 12 L d T`, of `N`
    /// parameters but for those of positions (Chowdhery et al. 2022, "PaLM", appendix B).
    pub fn operations(&self, vocab_size: usize, seq: usize) -> f64 {
        let multiplied = self.parameters(vocab_size) - self.position_parameters();
        let attended = 12 * self.n_layers * self.n_heads * self.d_head() * seq;
        6.0 * multiplied as f64 + attended as f64
    }

    /// Bytes of the largest single tensor while training, which a WebGPU buffer must hold.
    pub fn largest_tensor_bytes(&self, vocab_size: usize, batch: usize) -> u64 {
        let tokens = (batch * self.context) as u64;
        let widest = [
            tokens * self.pattern_row(),
            tokens * self.d_mlp() as u64,
            tokens * 3 * (self.n_heads * self.d_head()) as u64,
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
    /// Whether weights stay as they are, and only memories learn.
    pub frozen: bool,
    /// Whether weights of layers' matrices that are 0 stay 0.
    pub keep_zeros: bool,
    pub heads: HeadsConfig,
    /// Steps between two validations.
    pub val_every: usize,
    /// Batches a validation.
    pub val_batches: usize,
    /// What is added to the loss for the mean size of what is unembedded; 0 for nothing.
    pub output_l1: f64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        PRESETS[0].train()
    }
}
