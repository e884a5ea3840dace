//! The model's settings.

use serde::{Deserialize, Serialize};

use super::{
    BlockKind, ByLayer, MemoryConfig, MemoryKind, MixerKind, MlpKind, NormKind, Positions,
};

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
    /// The unembedding is the embedding transposed.
    pub tied_head: bool,
    /// Linear layers and LayerNorms have biases.
    pub bias: bool,
    /// The part of a layer that moves information between tokens.
    pub mixer: ByLayer<MixerKind>,
    /// Tokens that the mixer `window` sees, its own among them.
    pub window: usize,
    /// The order of a layer's mixer and MLP.
    pub block: BlockKind,
    /// α of least squares, the mixers `intention` and `mesa`, before training: the weight of the squared weights beside the
    /// squared errors.
    pub ridge: f64,
    /// `intention` trains its ridge, one number a head, as `mesa` does.
    pub ridge_trained: bool,
    /// Tokens that a convolution reads, with the one that it writes to.
    pub conv_width: usize,
    pub norm: NormKind,
    /// Added to what a norm takes the root of.
    pub norm_eps: f64,
    pub mlp: MlpKind,
    /// Width of the hidden layer of the MLP; 0 for four times `d_model`.
    pub d_mlp: usize,
    pub positions: Positions,
    /// Rotary positions: the slowest turn takes about `2π · rope_base` tokens.
    pub rope_base: f64,
    /// xPos: tokens over which the products of a pair of numbers shrink to its share, 0.29 to 1.
    pub xpos_base: f64,
    /// Heads of keys and values, each read by as many heads of queries; 0 for one each.
    pub kv_heads: usize,
    /// Width of one head; 0 for `d_model / n_heads`.
    pub d_head: usize,
    /// Each head's queries and keys go through an RMSNorm of their own.
    pub qk_norm: bool,
    /// Head gates: the output of each head is multiplied by σ(c), with a trained number c of its own.
    #[serde(alias = "contributions")]
    pub head_gates: bool,
    /// Feedback: each layer but the last also reads the output of the layer above for the token before, as a
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

impl ModelConfig {
    /// Width of one head.
    pub fn d_head(&self) -> usize {
        if self.d_head > 0 { self.d_head } else { self.d_model / self.n_heads }
    }

    /// Tells if the weights of an `old` model can be trained on as this one's. All that may differ is the dropout and how
    /// memories are read and written.
    pub fn takes_weights_of(&self, old: &Self) -> bool {
        let MemoryConfig { slots, top_k, write_threshold, max_writes, merge_after, lambda, .. } =
            self.memory;
        let memory = old.memory.clone();
        let memory = MemoryConfig {
            slots,
            top_k,
            write_threshold,
            max_writes,
            merge_after,
            lambda,
            ..memory
        };
        *self == Self { dropout: self.dropout, memory, ..old.clone() }
    }

    /// Standard deviation of an untrained matrix that writes into the residual stream.
    pub fn residual_std(&self) -> f64 {
        self.init_std / (2.0 * self.n_layers as f64).sqrt()
    }

    /// True if a layer has one of these mixers.
    pub fn has_mixer(&self, kinds: &[MixerKind]) -> bool {
        (0..self.n_layers).any(|layer| kinds.contains(&self.mixer.of(layer)))
    }

    /// Heads of keys and values.
    pub fn kv_heads(&self) -> usize {
        if self.kv_heads > 0 { self.kv_heads } else { self.n_heads }
    }

    /// True if layers read from the one above them: a model of one layer has none.
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
}
