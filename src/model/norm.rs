//! LayerNorm (Ba et al. 2016).

use burn::tensor::Tensor;

use super::Weights;
use crate::kernel::layer_norm::normalize;

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
        let normed = normalize(x, self.w.clone());
        match &self.b {
            Some(b) => normed + b.clone().unsqueeze(),
            None => normed,
        }
    }
}
