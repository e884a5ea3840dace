//! LayerNorm (Ba et al. 2016).

use burn::tensor::Tensor;
use burn::tensor::module::layer_norm;

use super::Weights;

/// GPT-2's guard against a variance of 0.
pub const EPSILON: f64 = 1e-5;

#[derive(Clone, Debug)]
pub struct Norm {
    w: Tensor<1>,         // [d_model]
    b: Option<Tensor<1>>, // [d_model]
}

impl Norm {
    pub fn new(weights: &Weights, name: &str) -> Self {
        let w = weights.vector(&format!("{name}.w")).expect("every LayerNorm has a gain");
        Self { w, b: weights.vector(&format!("{name}.b")) }
    }

    /// # Shapes
    /// `x` and the result: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        layer_norm(x, self.w.clone(), self.b.clone(), EPSILON)
    }
}
