//! AdamW with clipping, over all parameters at once.

use burn::tensor::{Device, Tensor};

use crate::config::TrainConfig;
use crate::model::Layout;
use crate::model::weights::to_device;

/// Guards the division by the root of the second moment, as PyTorch's default.
const EPSILON: f64 = 1e-8;

/// State of AdamW (Loshchilov & Hutter 2017); every vector is `[parameters]` in the layout's order.
#[derive(Clone, Debug)]
pub struct AdamW {
    pub first: Tensor<1>,
    pub second: Tensor<1>,
    decay_mask: Tensor<1>,
}

impl AdamW {
    /// Moments of 0.
    pub fn new(layout: &Layout, device: &Device) -> Self {
        let zeros = vec![0.0; layout.len()];
        Self::from_moments(layout, zeros.clone(), zeros, device)
    }

    pub fn from_moments(
        layout: &Layout,
        first: Vec<f32>,
        second: Vec<f32>,
        device: &Device,
    ) -> Self {
        Self {
            first: to_device(first, device),
            second: to_device(second, device),
            decay_mask: to_device(layout.decay_mask(), device),
        }
    }

    /// The parameters after one update; `step` counts from 0 and `lr` is its learning rate.
    /// A gradient of a norm over `config.clip` is scaled down to it first.
    ///
    /// # Shapes
    /// `parameters` and `gradient`: `[parameters]`
    pub fn update(
        &mut self,
        config: &TrainConfig,
        step: usize,
        lr: f64,
        parameters: Tensor<1>,
        gradient: Tensor<1>,
    ) -> Tensor<1> {
        let gradient = if config.clip > 0.0 { clip(gradient, config.clip) } else { gradient };
        let (beta1, beta2) = (config.beta1, config.beta2);
        self.first =
            self.first.clone().mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
        self.second =
            self.second.clone().mul_scalar(beta2) + gradient.square().mul_scalar(1.0 - beta2);

        let exponent = step as f64 + 1.0;
        let bias1 = 1.0 - beta1.powf(exponent);
        let bias2 = 1.0 - beta2.powf(exponent);
        let denominator = self.second.clone().sqrt().div_scalar(bias2.sqrt()).add_scalar(EPSILON);
        let change = self.first.clone().mul_scalar(lr / bias1) / denominator;
        let decay =
            parameters.clone() * self.decay_mask.clone().mul_scalar(lr * config.weight_decay);
        parameters - decay - change
    }
}

/// Scales `gradient` to norm `most` if its norm is larger, without reading it back; with
/// PyTorch's 1e-6 against a norm of 0.
fn clip(gradient: Tensor<1>, most: f64) -> Tensor<1> {
    let norm = gradient.clone().square().sum().sqrt(); // [1]
    let scale = norm.add_scalar(1e-6).recip().mul_scalar(most).clamp_max(1.0);
    gradient * scale
}
