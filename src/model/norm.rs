//! LayerNorm (Ba et al. 2016).

use burn::tensor::Tensor;

use super::Weights;
use crate::kernel::layer_norm::normalize;
use crate::kernel::param::Param;

#[derive(Clone, Debug)]
pub struct Norm {
    w: Param<1>,         // [d_model]
    b: Option<Param<1>>, // [d_model]
}

impl Norm {
    pub fn new(weights: &Weights, name: &str) -> Self {
        let w = weights.vector(&format!("{name}.w")).expect("every LayerNorm has a gain");
        Self { w, b: weights.vector(&format!("{name}.b")) }
    }

    /// # Shapes
    /// `x` and the result: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        normalize(x, &self.w, self.b.as_ref())
    }
}
