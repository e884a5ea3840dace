//! AdamW with clipping, over all parameters at once.

use burn::tensor::{Device, Tensor};

use crate::run::Moments;
use crate::config::TrainConfig;
use crate::kernel::adamw;
use crate::kernel::adamw::Constants;
use crate::kernel::is_cpu;
use crate::kernel::transfer::to_device;

/// Guards the division by the root of the second moment, as PyTorch's default.
const EPSILON: f64 = 1e-8;

/// State of AdamW (Loshchilov & Hutter 2017); every vector is `[parameters]` in the order of what is trained.
#[derive(Clone, Debug)]
pub struct AdamW {
    pub first: Tensor<1>,
    pub second: Tensor<1>,
    decay_mask: Tensor<1>,
    /// 1 where parameters are trained; `None` if all are.
    trained: Option<Tensor<1>>,
}

impl AdamW {
    /// State that goes on with these moments, or begins with moments of 0. Parameters decay where `decay_mask` is 1.
    ///
    /// # Shapes
    /// `decay_mask`: `[parameters]`
    pub fn new(decay_mask: Vec<f32>, moments: Option<Moments>, device: &Device) -> Self {
        let zeros = || vec![0.0; decay_mask.len()];
        let moments = moments.unwrap_or_else(|| Moments { first: zeros(), second: zeros() });
        Self {
            first: to_device(moments.first, device),
            second: to_device(moments.second, device),
            decay_mask: to_device(decay_mask, device),
            trained: None,
        }
    }

    /// Leaves all parameters as they are but those where `trained` is 1; only their gradient counts where
    /// it is clipped.
    ///
    /// # Shapes
    /// `trained`: `[parameters]`
    pub fn only(self, trained: Tensor<1>) -> Self {
        let decay_mask = self.decay_mask * trained.clone();
        Self { decay_mask, trained: Some(trained), ..self }
    }

    /// The sum of the second moments: `[1]`. A first moment that is not finite leaves a second one that is not.
    pub(super) fn sum(&self) -> Tensor<1> {
        self.second.clone().sum()
    }

    /// The numbers of the update of `step`, which counts from 0 and has the learning rate `lr`.
    /// To be had before anything of the step is given to a GPU: what is sent to one later waits.
    pub fn rates(&self, config: &TrainConfig, step: usize, lr: f64) -> Rates {
        let exponent = step as f64 + 1.0;
        let TrainConfig { beta1, beta2, weight_decay, clip, .. } = *config;
        let [bias1, bias2] = [beta1, beta2].map(|beta| 1.0 - beta.powf(exponent));
        let by_first = lr / bias1;
        let root2 = bias2.sqrt();
        let decay = lr * weight_decay;
        let device = self.first.device();
        let on_gpu = (!is_cpu(&device)).then(|| {
            let values: [f64; adamw::RATES] = [by_first, root2, decay, clip];
            to_device(values.map(|value| value as f32).to_vec(), &device)
        });
        Rates { beta1, beta2, by_first, root2, decay, clip, on_gpu }
    }

    /// The parameters after one update. A gradient of a norm over the run's `clip` is scaled down
    /// to it first.
    ///
    /// # Shapes
    /// `parameters` and `gradient`: `[parameters]`
    pub fn update(
        &mut self,
        rates: Rates,
        parameters: Tensor<1>,
        gradient: Tensor<1>,
    ) -> Tensor<1> {
        let Rates { beta1, beta2, .. } = rates;
        let gradient = match &self.trained {
            Some(trained) => gradient * trained.clone(),
            None => gradient,
        };
        if let Some(on_gpu) = rates.on_gpu {
            let [beta1, beta2, epsilon] = [beta1, beta2, EPSILON].map(|value| value as f32);
            let constants = Constants { beta1, beta2, epsilon };
            let moments = [&self.first, &self.second];
            return adamw::update(
                constants,
                on_gpu,
                parameters,
                gradient,
                moments,
                &self.decay_mask,
            );
        }
        let gradient = if rates.clip > 0.0 { clip(gradient, rates.clip) } else { gradient };
        self.first =
            self.first.clone().mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
        self.second =
            self.second.clone().mul_scalar(beta2) + gradient.square().mul_scalar(1.0 - beta2);
        let denominator = self.second.clone().sqrt().div_scalar(rates.root2).add_scalar(EPSILON);
        let change = self.first.clone().mul_scalar(rates.by_first) / denominator;
        let decay = parameters.clone() * self.decay_mask.clone().mul_scalar(rates.decay);
        parameters - decay - change
    }
}

/// Factors of AdamW in one step.
#[derive(Clone, Debug)]
pub struct Rates {
    beta1: f64,
    beta2: f64,
    /// Learning rate over the first moment's bias.
    by_first: f64,
    /// Root of the second moment's bias.
    root2: f64,
    decay: f64,
    clip: f64,
    on_gpu: Option<Tensor<1>>,
}

/// The sum of `values`, the same on any number of threads: Burn adds up more of them in the order in which threads end.
fn sum(values: &Tensor<1>) -> Tensor<1> {
    const MOST: usize = (1 << 22) - 1;
    let [count] = values.dims();
    let part = |start: usize| values.clone().slice(start..count.min(start + MOST)).sum();
    (MOST..count).step_by(MOST).fold(part(0), |sum, start| sum + part(start))
}

/// Scales `gradient` to norm `most` if its norm is larger, without reading it back; with
/// PyTorch's 1e-6 against a norm of 0.
fn clip(gradient: Tensor<1>, limit: f64) -> Tensor<1> {
    let norm = sum(&gradient.clone().square()).sqrt(); // [1]
    let scale = norm.add_scalar(1e-6).recip().mul_scalar(limit).clamp_max(1.0);
    gradient * scale
}
