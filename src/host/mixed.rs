//! Activations of a mixer.

use super::memory::Recalled;

/// Result of a mixer on some tokens.
pub struct Mixed {
    /// Queries of the tokens, or the gates of a convolution: `[seq, n_heads * d_head]`.
    pub q: Vec<f32>,
    /// Keys and values of all tokens so far, repeated for each head that reads them: `[token, n_heads * d_head]`. A
    /// convolution has no keys: there `k` is empty.
    pub k: Vec<f32>,
    pub v: Vec<f32>,
    /// Weight of each value in each head's output: `[head, seq, token]`. Of a convolution, which weighs each number of a value
    /// by itself, the mean over the head's numbers.
    pub pattern: Vec<f32>,
    /// Head outputs: `[seq, n_heads * d_head]`.
    pub z: Vec<f32>,
    /// Numbers by which tokens change a state: β of the delta rule, γ of mesa, `[seq, n_heads]`. Empty of other mixers.
    pub gates: Vec<f32>,
    /// Memory look-up.
    pub recalled: Option<Recalled>,
}
