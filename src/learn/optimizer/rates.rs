//! Factors of one step.

use burn::tensor::{Device, Tensor};

use crate::config::{OptimizerKind, TrainConfig};
use crate::kernel::adamw;
use crate::kernel::is_cpu;
use crate::kernel::transfer::to_device;

/// Guards the division by the root of the second moment, as PyTorch's default.
pub(super) const EPSILON: f64 = 1e-8;

/// Factors of an optimizer in one step.
#[derive(Clone, Debug)]
pub struct Rates {
    pub(super) lr: f64,
    /// Learning rate times weight decay.
    pub(super) decay: f64,
    /// Largest norm of the gradient; 0: any.
    pub(super) clip: f64,
    pub(super) beta1: f64,
    pub(super) beta2: f64,
    /// Learning rate over the first moment's bias.
    pub(super) by_first: f64,
    /// Root of the second moment's bias.
    pub(super) root2: f64,
    /// Momentum of SGD.
    pub(super) momentum: f64,
    /// Muon's learning rate, and that times weight decay.
    pub(super) muon: [f64; 2],
    /// Numbers that the kernel of AdamW reads.
    pub(super) on_gpu: Option<Tensor<1>>,
}

impl Rates {
    /// The numbers of the update of `step`, which counts from 0 and has the learning rate `lr`.
    /// To be had before anything of the step is given to a GPU: what is sent to one later waits.
    pub fn new(config: &TrainConfig, step: usize, lr: f64, device: &Device) -> Self {
        let exponent = step as f64 + 1.0;
        let TrainConfig { optimizer, beta1, beta2, weight_decay, clip, momentum, .. } = *config;
        let [bias1, bias2] = [beta1, beta2].map(|beta| 1.0 - beta.powf(exponent));
        let by_first = lr / bias1;
        let root2 = bias2.sqrt();
        let decay = lr * weight_decay;
        let muon = config.muon_lr * lr / config.lr;
        // Muon clips the whole gradient, before AdamW has its share.
        let clip_on_gpu = if optimizer == OptimizerKind::Muon { 0.0 } else { clip };
        let on_gpu = (optimizer != OptimizerKind::Sgd && !is_cpu(device)).then(|| {
            let values: [f64; adamw::RATES] = [by_first, root2, decay, clip_on_gpu];
            to_device(values.map(|value| value as f32).to_vec(), device)
        });
        let muon = [muon, muon * weight_decay];
        Self { lr, decay, clip, beta1, beta2, by_first, root2, momentum, muon, on_gpu }
    }

    /// The same for a gradient that is clipped.
    pub(super) fn unclipped(self) -> Self {
        Self { clip: 0.0, ..self }
    }
}
