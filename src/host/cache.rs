//! Activation cache of a recorded forward pass.

use super::memory::Recalled;

/// All activations of one forward pass, row by row; `seq` is its number of tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivationCache {
    pub seq: usize,
    pub d_model: usize,
    pub n_heads: usize,
    pub d_head: usize,
    pub vocab_size: usize,
    /// Token embeddings: `[seq, d_model]`.
    pub embed: Vec<f32>,
    /// Position embeddings: `[seq, d_model]`; zeros unless positions are learned.
    pub pos_embed: Vec<f32>,
    pub layers: Vec<LayerActivations>,
    /// Divisor of the final norm: `[seq]`; 1 without a norm.
    pub final_scale: Vec<f32>,
    /// Input of the unembedding: `[seq, d_model]`.
    pub normed: Vec<f32>,
    /// `[seq, vocab]`
    pub logits: Vec<f32>,
    /// Look-up of an output with a memory of following tokens.
    pub recalled: Option<Recalled>,
}

impl ActivationCache {
    /// Logits at a position: `[vocab]`.
    ///
    /// # Panics
    /// If there is no such position.
    pub fn logits_at(&self, position: usize) -> &[f32] {
        &self.logits[position * self.vocab_size..][..self.vocab_size]
    }
}

/// Activations of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerActivations {
    /// Feedback from the layer above at the previous token: `[seq, d_model]`; empty for a layer without feedback.
    pub feedback: Vec<f32>,
    /// Residual stream before the layer, with feedback: `[seq, d_model]`.
    pub resid_pre: Vec<f32>,
    /// Queries as attention uses them: `[seq, n_heads * d_head]`, after rotary encoding, with shared ones repeated
    /// for each head. `k` and `v` have the same form. A convolution has gates in place of queries, and no keys: `k` is
    /// empty.
    pub q: Vec<f32>,
    pub k: Vec<f32>,
    pub v: Vec<f32>,
    /// Attention pattern: `[head, query, key]`. Of a convolution, which weighs each number of a value by itself, the mean over
    /// the head's numbers; `z` is not computed from it.
    pub pattern: Vec<f32>,
    /// Weighted values of each head, with those of its memory: `[seq, n_heads * d_head]`.
    pub z: Vec<f32>,
    /// Numbers by which tokens change the state of a mixer, `[seq, n_heads]`: β of the delta rule, γ of mesa. Empty of other
    /// mixers.
    pub gates: Vec<f32>,
    /// Output of all heads, with `b_O`: `[seq, d_model]`.
    pub attn_out: Vec<f32>,
    /// Residual stream after attention: `[seq, d_model]`.
    pub resid_mid: Vec<f32>,
    /// Hidden activations after the nonlinearity: `[seq, d_mlp]`; empty without a feed-forward layer.
    pub mlp_post: Vec<f32>,
    /// Look-up of a stored memory, if the layer has one.
    pub recalled: Option<Recalled>,
    /// Output of the feed-forward layer, or of the memory in its place: `[seq, d_model]`; zeros without one.
    pub mlp_out: Vec<f32>,
    /// Residual stream after the layer: `[seq, d_model]`.
    pub resid_post: Vec<f32>,
}
