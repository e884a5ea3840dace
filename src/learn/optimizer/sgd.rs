//! Gradient descent with momentum.

use burn::tensor::Tensor;

use super::clip::clip;
use super::rates::Rates;

/// State of gradient descent with momentum (Polyak 1964), as PyTorch's `SGD` has it without dampening: the momentum is
/// the sum of all gradients, each weighted less with every step. Weight decay is AdamW's: it takes its share of a
/// parameter, and is no part of the momentum (SGDW, Loshchilov & Hutter 2017).
#[derive(Clone, Debug)]
pub struct Sgd {
    /// `[parameters]`
    pub momentum: Tensor<1>,
}

impl Sgd {
    /// The parameters after one update. They decay where `decay_mask` is 1.
    ///
    /// # Shapes
    /// `parameters`, `gradient` and `decay_mask`: `[parameters]`
    pub fn update(
        &mut self,
        rates: &Rates,
        parameters: Tensor<1>,
        gradient: Tensor<1>,
        decay_mask: &Tensor<1>,
    ) -> Tensor<1> {
        let gradient = clip(gradient, rates.clip);
        self.momentum = self.momentum.clone().mul_scalar(rates.momentum) + gradient;
        let decay = parameters.clone() * decay_mask.clone().mul_scalar(rates.decay);
        parameters - decay - self.momentum.clone().mul_scalar(rates.lr)
    }
}
