//! What a recorded forward pass holds.

use super::memory::Recalled;

/// Everything one forward pass computed, row by row; `seq` is its number of tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    pub seq: usize,
    pub d_model: usize,
    pub n_heads: usize,
    pub d_head: usize,
    pub vocab_size: usize,
    /// `[seq, d_model]`
    pub embed: Vec<f32>,
    /// `[seq, d_model]`; zeros unless positions are learned.
    pub pos_embed: Vec<f32>,
    pub layers: Vec<LayerRecording>,
    /// What the last norm divides by: `[seq]`; 1 without a norm.
    pub final_scale: Vec<f32>,
    /// What is unembedded: `[seq, d_model]`.
    pub normed: Vec<f32>,
    /// `[seq, vocab]`
    pub logits: Vec<f32>,
    /// Of an output that remembers what followed.
    pub recalled: Option<Recalled>,
}

impl Recording {
    /// What is predicted at a position: `[vocab]`.
    ///
    /// # Panics
    /// If there is no such position.
    pub fn logits_at(&self, position: usize) -> &[f32] {
        &self.logits[position * self.vocab_size..][..self.vocab_size]
    }
}

/// What one layer computed.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRecording {
    /// What the layer above wrote at the token before: `[seq, d_model]`; empty
    /// if nothing is fed back to this layer.
    pub fed_back: Vec<f32>,
    /// What the layer reads, with what is fed back: `[seq, d_model]`.
    pub resid_pre: Vec<f32>,
    /// `[seq, n_heads * d_head]`, as attention uses them: turned, and those that heads share once for
    /// each. So are `k` and `v`.
    pub q: Vec<f32>,
    pub k: Vec<f32>,
    pub v: Vec<f32>,
    /// `[head, query, key]`
    pub pattern: Vec<f32>,
    /// Each head's weighted values, with what its memory has for it: `[seq, n_heads * d_head]`.
    pub z: Vec<f32>,
    /// What each head writes, `z W_O` without `b_O`: `[head, seq, d_model]`.
    pub head_out: Vec<f32>,
    /// What all heads write, with `b_O`: `[seq, d_model]`.
    pub attn_out: Vec<f32>,
    /// `[seq, d_model]`
    pub resid_mid: Vec<f32>,
    /// After the nonlinearity: `[seq, d_mlp]`; empty without a feed-forward layer.
    pub mlp_post: Vec<f32>,
    /// Of a layer with a memory that is stored.
    pub recalled: Option<Recalled>,
    /// What a feed-forward layer, or what stands in its place, writes: `[seq, d_model]`; zeros without
    /// one.
    pub mlp_out: Vec<f32>,
    /// `[seq, d_model]`
    pub resid_post: Vec<f32>,
}
