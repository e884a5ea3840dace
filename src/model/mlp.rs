//! The feed-forward layer: `gelu(x W_in + b_in) W_out + b_out`.

use burn::tensor::Tensor;
use burn::tensor::module::linear;

use super::Weights;

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

/// `x Φ(x)` (Hendrycks & Gimpel 2016), whose gradient is exact by autodiff. Burn's own takes the
/// gradient of the tanh approximation on a GPU, which is off by 6e-4 of its norm.
fn gelu(x: Tensor<3>) -> Tensor<3> {
    let twice_phi = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0);
    x.mul_scalar(0.5) * twice_phi
}
