//! A nearest-neighbour language model at the output (Khandelwal et al. 2020): the prediction is mixed with what
//! followed the nearest of what was read before. Nothing of it is trained.

use burn::tensor::activation::softmax;
use burn::tensor::{Int, Tensor};

use super::memory::{LayerRead, constant, rows, softmax_from_first, unit};
use super::slots::Slots;
use crate::arch::SHARPNESS;
use crate::config::ModelConfig;

#[derive(Clone, Debug)]
pub struct Neighbours {
    /// Share of the prediction that is theirs.
    lambda: f64,
    top_k: usize,
    slots: Slots,
}

impl Neighbours {
    /// `None` of a model without any.
    pub fn new(config: &ModelConfig) -> Option<Self> {
        let (lambda, top_k) = (config.memory.lambda, config.memory.top_k);
        (lambda > 0.0).then_some(Self { lambda, top_k, slots: Slots::Empty })
    }

    pub fn remember(&mut self, slots: Slots) {
        self.slots = slots;
    }

    /// The logarithms of `(1 − λ) p + λ q`: `p` is what the logits predict, `q` what followed the nearest,
    /// weighted by softmax(−8 · distance). With no neighbours, the logits as they are.
    ///
    /// # Shapes
    /// `logits` and the result: `[batch, seq, vocab]`; `normed`: `[batch, seq, d_model]`
    pub fn mix(&self, logits: Tensor<3>, normed: Tensor<3>) -> Tensor<3> {
        let ([batch, seq, vocab], device) = (logits.dims(), logits.device());
        let n = batch * seq;
        let nearest = self.slots.nearest(unit(rows(normed)), self.top_k);
        if nearest.k() == 0 {
            return logits;
        }
        let [_, next] = nearest.slots(n, &device); // [n, k, 1]
        let far = nearest.distances(n, &device); // [n, k]
        let weights = softmax_from_first(far.mul_scalar(-SHARPNESS));
        let tokens = Tensor::<1, Int>::arange(0..vocab as i64, &device).float().unsqueeze::<2>();
        let mut q = Tensor::<2>::zeros([n, vocab], &device);
        for rank in 0..nearest.k() {
            let token = next.clone().narrow(1, rank, 1).squeeze_dim::<2>(1); // [n, 1]
            let is_it = (tokens.clone() - token).abs().clamp_max(1.0).neg().add_scalar(1.0);
            q = q + is_it * weights.clone().narrow(1, rank, 1);
        }
        let p = softmax(logits.reshape([n, vocab]), 1);
        let mixed = p.mul_scalar(1.0 - self.lambda) + q.mul_scalar(self.lambda);
        mixed.clamp_min(f32::MIN_POSITIVE).log().reshape([batch, seq, vocab])
    }

    /// Keys to be remembered of a pass; the caller gives the values.
    ///
    /// # Shapes
    /// `normed`: `[batch, seq, d_model]`
    pub fn read(&self, normed: &Tensor<3>) -> LayerRead {
        let keys = unit(rows(constant(normed)));
        let nearest = self.slots.nearest(keys.clone(), self.top_k);
        LayerRead { nearest, values: keys.clone(), keys, trained: None }
    }
}
