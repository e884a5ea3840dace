//! What a layer reads the residual stream through: LayerNorm, RMSNorm or nothing.

use burn::tensor::Tensor;

use super::Weights;
use crate::config::{ModelConfig, NormKind};
use crate::kernel::layer_norm::{Scaling, normalize};
use crate::kernel::param::Param;

#[derive(Clone, Debug)]
pub struct Norm {
    /// `None` without a norm.
    w: Option<Param<1>>, // [d_model]
    b: Option<Param<1>>, // [d_model]
    scaling: Scaling,
}

impl Norm {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        let [w, b] = ["w", "b"].map(|part| weights.vector(&format!("{name}.{part}")));
        Self { w, b, scaling: Scaling::of(config) }
    }

    /// The RMSNorm `name` of each head's queries or keys, if the model has it.
    pub fn of_heads(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        let scaling = Scaling { is_centred: false, ..Scaling::of(config) };
        Self { scaling, ..Self::new(config, weights, name) }
    }

    /// # Shapes
    /// `x` and the result: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.w {
            Some(w) => normalize(x, w, self.b.as_ref(), self.scaling),
            None => x,
        }
    }
}

impl Scaling {
    /// That of a model's norms.
    pub fn of(config: &ModelConfig) -> Self {
        Self { is_centred: config.norm == NormKind::Layer, epsilon: config.norm_eps as f32 }
    }
}
