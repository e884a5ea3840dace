//! The feed-forward layer: `gelu(x W_in + b_in) W_out + b_out`.

use burn::tensor::Tensor;

use super::Weights;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;

#[derive(Clone, Debug)]
pub struct Mlp {
    w_in: Linear,  // [d_model, d_mlp]
    w_out: Linear, // [d_mlp, d_model]
}

impl Mlp {
    pub fn new(weights: &Weights, name: &str) -> Self {
        Self { w_in: weights.linear(name, "in"), w_out: weights.linear(name, "out") }
    }

    /// The residual stream after this layer has written into it.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after LayerNorm; `resid` and the result:
    /// `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>, resid: Tensor<3>, dropout: Dropout) -> Tensor<3> {
        let hidden = self.w_in.apply_gelu(x); // [batch, seq, d_mlp]
        self.w_out.add(hidden, resid, dropout.site(3))
    }
}
