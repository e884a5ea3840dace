//! One pre-LayerNorm transformer block.

use burn::tensor::Tensor;

use super::Weights;
use super::attention::{Attention, Pattern};
use super::mlp::Mlp;
use super::norm::Norm;
use crate::kernel::attention::{Cache, Mask};

#[derive(Clone, Debug)]
pub struct Block {
    ln1: Norm,
    attn: Attention,
    ln2: Norm,
    mlp: Mlp,
}

impl Block {
    pub fn new(n_heads: usize, weights: &Weights, name: &str) -> Self {
        Self {
            ln1: Norm::new(weights, &format!("{name}.ln1")),
            attn: Attention::new(n_heads, weights, &format!("{name}.attn")),
            ln2: Norm::new(weights, &format!("{name}.ln2")),
            mlp: Mlp::new(weights, &format!("{name}.mlp")),
        }
    }

    /// The residual stream after this block, and the block's attention pattern.
    ///
    /// # Shapes
    /// `resid_pre` and the stream returned: `[batch, seq, d_model]`
    pub fn forward(&self, resid_pre: Tensor<3>, mask: &Mask, p: f64) -> (Tensor<3>, Pattern) {
        let normed = self.ln1.forward(resid_pre.clone());
        let (resid_mid, pattern) = self.attn.forward(normed, resid_pre, mask, p);
        (self.feed_forward(resid_mid, p), pattern)
    }

    /// The residual stream after this block, of tokens that follow those in `cache`, and join them.
    ///
    /// # Shapes
    /// `resid_pre` and the result: `[1, seq, d_model]`
    pub fn forward_cached(&self, resid_pre: Tensor<3>, cache: &mut Cache) -> Tensor<3> {
        let normed = self.ln1.forward(resid_pre.clone());
        let resid_mid = self.attn.forward_cached(normed, resid_pre, cache);
        self.feed_forward(resid_mid, 0.0)
    }

    fn feed_forward(&self, resid_mid: Tensor<3>, p: f64) -> Tensor<3> {
        let normed = self.ln2.forward(resid_mid.clone());
        self.mlp.forward(normed, resid_mid, p)
    }
}
