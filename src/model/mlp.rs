//! The feed-forward layer: `gelu(x W_in + b_in) W_out + b_out`.

use burn::tensor::Tensor;
use burn::tensor::module::linear;

use super::Weights;
use crate::kernel::gelu::gelu;

#[derive(Clone, Debug)]
pub struct Mlp {
    w_in: Tensor<2>,          // [d_model, d_mlp]
    b_in: Option<Tensor<1>>,  // [d_mlp]
    w_out: Tensor<2>,         // [d_mlp, d_model]
    b_out: Option<Tensor<1>>, // [d_model]
}

impl Mlp {
    pub fn new(weights: &Weights, name: &str) -> Self {
        Self {
            w_in: weights.matrix(&format!("{name}.W_in")),
            b_in: weights.vector(&format!("{name}.b_in")),
            w_out: weights.matrix(&format!("{name}.W_out")),
            b_out: weights.vector(&format!("{name}.b_out")),
        }
    }

    /// # Shapes
    /// `x` and the result: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = gelu(linear(x, self.w_in.clone(), self.b_in.clone())); // [batch, seq, d_mlp]
        linear(hidden, self.w_out.clone(), self.b_out.clone())
    }
}
