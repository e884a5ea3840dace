//! AdamW with clipping, over all parameters at once.

use burn::tensor::Tensor;

use super::clip::clip;
use super::rates::{EPSILON, Rates};
use crate::kernel::adamw;
use crate::kernel::adamw::Constants;

/// State of AdamW (Loshchilov & Hutter 2017); every vector is `[parameters]` in the order of what is trained.
#[derive(Clone, Debug)]
pub struct AdamW {
    pub first: Tensor<1>,
    pub second: Tensor<1>,
}

impl AdamW {
    /// The sum of the second moments: `[1]`. A first moment that is not finite leaves a second one that is not.
    pub fn sum(&self) -> Tensor<1> {
        self.second.clone().sum()
    }

    /// The parameters after one update. They decay where `decay_mask` is 1.
    ///
    /// # Shapes
    /// `parameters`, `gradient` and `decay_mask`: `[parameters]`
    pub fn update(
        &mut self,
        rates: Rates,
        parameters: Tensor<1>,
        gradient: Tensor<1>,
        decay_mask: &Tensor<1>,
    ) -> Tensor<1> {
        let Rates { beta1, beta2, .. } = rates;
        if let Some(on_gpu) = rates.on_gpu {
            let [beta1, beta2, epsilon] = [beta1, beta2, EPSILON].map(|value| value as f32);
            let constants = Constants { beta1, beta2, epsilon };
            let moments = [&self.first, &self.second];
            return adamw::update(constants, on_gpu, parameters, gradient, moments, decay_mask);
        }
        let gradient = clip(gradient, rates.clip);
        self.first =
            self.first.clone().mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
        self.second =
            self.second.clone().mul_scalar(beta2) + gradient.square().mul_scalar(1.0 - beta2);
        let denominator = self.second.clone().sqrt().div_scalar(rates.root2).add_scalar(EPSILON);
        let change = self.first.clone().mul_scalar(rates.by_first) / denominator;
        let decay = parameters.clone() * decay_mask.clone().mul_scalar(rates.decay);
        parameters - decay - change
    }
}
