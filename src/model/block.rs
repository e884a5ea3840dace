//! One pre-LayerNorm transformer block.

use burn::tensor::Tensor;

use super::Weights;
use super::attention::{Attention, Cache, Pattern};
use super::mlp::Mlp;
use super::norm::Norm;
use crate::kernel::attention::Mask;

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

    /// The residual stream after this block, and the block's attention pattern; `mask` and
    /// `cache` as for [`Attention::forward`].
    ///
    /// # Shapes
    /// `resid_pre` and the stream returned: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        resid_pre: Tensor<3>,
        mask: Option<&Mask>,
        p: f64,
        cache: Option<&mut Cache>,
    ) -> (Tensor<3>, Pattern) {
        let normed = self.ln1.forward(resid_pre.clone());
        let (resid_mid, pattern) = self.attn.forward(normed, resid_pre, mask, p, cache);
        let normed = self.ln2.forward(resid_mid.clone());
        (self.mlp.forward(normed, resid_mid, p), pattern)
    }
}
