//! The norm that a layer reads the residual stream through.

use burn::tensor::Tensor;

use super::Weights;
use crate::arch;
use crate::config::ModelConfig;
use crate::kernel::layer_norm::{Scaling, normalize};
use crate::kernel::param::Param;

#[derive(Clone, Debug)]
pub enum Norm {
    Identity,
    /// LayerNorm or RMSNorm.
    Scaled {
        w: Param<1>,         // [d_model]
        b: Option<Param<1>>, // [d_model]
        scaling: Scaling,
    },
    /// ScaleNorm.
    Length { g: Param<1>, epsilon: f32 },
}

impl Norm {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        Self::of(arch::Norm::of(config), weights, name)
    }

    /// The norm `name` of each head's queries or keys.
    pub fn of_heads(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        Self::of(arch::Norm::of_heads(config), weights, name)
    }

    fn of(norm: arch::Norm, weights: &Weights, name: &str) -> Self {
        let get = |part: &str| weights.vector(&format!("{name}.{part}"));
        // A block without a feed-forward layer has no norm before it.
        let Some(w) = get(norm.gain_name()) else { return Self::Identity };
        let scaling = match norm {
            arch::Norm::Identity => return Self::Identity,
            arch::Norm::Layer { epsilon } => Scaling { is_centred: true, epsilon },
            arch::Norm::Rms { epsilon } => Scaling { is_centred: false, epsilon },
            arch::Norm::Scale { epsilon } => return Self::Length { g: w, epsilon },
        };
        Self::Scaled { w, b: get("b"), scaling }
    }

    /// # Shapes
    /// `x` and the result: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Identity => x,
            Self::Scaled { w, b, scaling } => normalize(x, w, b.as_ref(), *scaling),
            Self::Length { g, epsilon } => {
                // The square is held above ε², for a root has no gradient at 0.
                let squares = x.clone().square().sum_dim(2).clamp_min(epsilon.powi(2));
                x / squares.sqrt() * g.tensor().reshape([1, 1, 1])
            }
        }
    }
}
