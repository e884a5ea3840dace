//! One transformer block, which reads through norms.

use burn::tensor::Tensor;

use super::Weights;
use super::attention::{Attention, Pattern};
use super::mlp::Mlp;
use super::norm::Norm;
use super::rotary::Rotation;
use crate::config::ModelConfig;
use crate::kernel::attention::{KeyValues, Mask};
use crate::kernel::dropout::Dropout;

#[derive(Clone, Debug)]
pub struct Block {
    ln1: Norm,
    attn: Attention,
    ln2: Norm,
    mlp: Option<Mlp>,
}

impl Block {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        Self {
            ln1: Norm::new(config, weights, &format!("{name}.ln1")),
            attn: Attention::new(config, weights, &format!("{name}.attn")),
            ln2: Norm::new(config, weights, &format!("{name}.ln2")),
            mlp: Mlp::new(config.mlp, weights, &format!("{name}.mlp")),
        }
    }

    /// The residual stream after this block, and the block's attention pattern.
    ///
    /// # Shapes
    /// `resid_pre` and the stream returned: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        resid_pre: Tensor<3>,
        rotation: Option<&Rotation>,
        mask: &Mask,
        dropout: Dropout,
    ) -> (Tensor<3>, Pattern) {
        let normed = self.ln1.forward(resid_pre.clone());
        let (resid_mid, pattern) = self.attn.forward(normed, resid_pre, rotation, mask, dropout);
        (self.feed_forward(resid_mid, dropout), pattern)
    }

    /// Room for the keys and values of `context` tokens.
    pub fn cache(&self, context: usize) -> KeyValues {
        self.attn.cache(context)
    }

    /// The residual stream after this block, of tokens that follow those in `cache`, and join them.
    ///
    /// # Shapes
    /// `resid_pre` and the result: `[1, seq, d_model]`
    pub fn forward_cached(
        &self,
        resid_pre: Tensor<3>,
        rotation: Option<&Rotation>,
        cache: &mut KeyValues,
    ) -> Tensor<3> {
        let normed = self.ln1.forward(resid_pre.clone());
        let resid_mid = self.attn.forward_cached(normed, resid_pre, rotation, cache);
        self.feed_forward(resid_mid, Dropout::NONE)
    }

    fn feed_forward(&self, resid_mid: Tensor<3>, dropout: Dropout) -> Tensor<3> {
        let Some(mlp) = &self.mlp else { return resid_mid };
        let normed = self.ln2.forward(resid_mid.clone());
        mlp.forward(normed, resid_mid, dropout)
    }
}
