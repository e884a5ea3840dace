//! One pre-LayerNorm transformer block.

use burn::tensor::Tensor;

use super::attention::{Attention, Cache};
use super::mlp::Mlp;
use super::norm::Norm;
use super::{Weights, dropout};

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
    /// `resid_pre` and the stream returned: `[batch, seq, d_model]`; the pattern:
    /// `[batch, head, query, key]`
    pub fn forward(
        &self,
        resid_pre: Tensor<3>,
        mask: &Tensor<4>,
        p: f64,
    ) -> (Tensor<3>, Tensor<4>) {
        let (attn_out, pattern) = self.attn.forward(self.ln1.forward(resid_pre.clone()), mask, p);
        let resid_mid = resid_pre + dropout(attn_out, p);
        let mlp_out = self.mlp.forward(self.ln2.forward(resid_mid.clone()));
        (resid_mid + dropout(mlp_out, p), pattern)
    }

    /// As [`forward`](Self::forward), for tokens that follow those in `cache`.
    pub fn forward_cached(
        &self,
        resid_pre: Tensor<3>,
        mask: Option<&Tensor<4>>,
        cache: &mut Cache,
    ) -> Tensor<3> {
        let attn_out = self.attn.forward_cached(self.ln1.forward(resid_pre.clone()), mask, cache);
        let resid_mid = resid_pre + attn_out;
        resid_mid.clone() + self.mlp.forward(self.ln2.forward(resid_mid))
    }
}
