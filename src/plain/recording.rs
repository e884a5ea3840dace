//! What a recorded forward pass holds.

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
    /// `[seq, d_model]`
    pub pos_embed: Vec<f32>,
    pub layers: Vec<LayerRecording>,
    /// What the last LayerNorm divides by: `[seq]`.
    pub final_scale: Vec<f32>,
    /// What is unembedded: `[seq, d_model]`.
    pub normed: Vec<f32>,
    /// `[seq, vocab]`
    pub logits: Vec<f32>,
}

/// What one layer computed.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRecording {
    /// `[seq, d_model]`
    pub resid_pre: Vec<f32>,
    /// `[seq, n_heads * d_head]`, as attention uses them, and so are `k` and `v`.
    pub q: Vec<f32>,
    pub k: Vec<f32>,
    pub v: Vec<f32>,
    /// `[head, query, key]`
    pub pattern: Vec<f32>,
    /// Each head's weighted values: `[seq, n_heads * d_head]`.
    pub z: Vec<f32>,
    /// What each head writes, `z W_O` without `b_O`: `[head, seq, d_model]`.
    pub head_out: Vec<f32>,
    /// What all heads write, with `b_O`: `[seq, d_model]`.
    pub attn_out: Vec<f32>,
    /// `[seq, d_model]`
    pub resid_mid: Vec<f32>,
    /// After the nonlinearity: `[seq, d_mlp]`.
    pub mlp_post: Vec<f32>,
    /// `[seq, d_model]`
    pub mlp_out: Vec<f32>,
    /// `[seq, d_model]`
    pub resid_post: Vec<f32>,
}
