//! The feed-forward layer.

use super::linear::{Linear, Parameters};

pub struct Mlp {
    w_in: Linear,  // [d_model, d_mlp]
    w_out: Linear, // [d_mlp, d_model]
}

impl Mlp {
    pub fn new(parameters: Parameters, name: &str) -> Self {
        Self { w_in: parameters.linear(name, "in"), w_out: parameters.linear(name, "out") }
    }

    /// The hidden layer, after its nonlinearity, and what it writes into the residual stream.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`; the result: `[seq, d_mlp]` and `[seq, d_model]`
    pub fn forward(&self, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut hidden = self.w_in.forward(x);
        hidden.iter_mut().for_each(|x| *x = gelu(*x));
        let out = self.w_out.forward(&hidden);
        (hidden, out)
    }
}

/// `x Φ(x)`.
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}
