//! A nearest-neighbour language model at the output (Khandelwal et al. 2020): the prediction is mixed with what
//! followed the nearest of what was read before. Nothing of it is trained.

use burn::tensor::Tensor;

use super::memory::{LayerRead, constant};
use crate::config::ModelConfig;
use crate::kernel::recall::{Asked, Form, Slots, mix_next};

#[derive(Clone, Debug)]
pub struct Neighbours {
    /// Share of the prediction that is theirs.
    lambda: f32,
    form: Form,
    top_k: usize,
    slots: Slots,
}

impl Neighbours {
    /// `None` of a model without any.
    pub fn new(config: &ModelConfig) -> Option<Self> {
        let (lambda, top_k) = (config.memory.lambda as f32, config.memory.top_k);
        let form =
            Form { n_heads: 1, width: config.d_model, by_distance: true, estimates: false };
        (lambda > 0.0).then_some(Self { lambda, form, top_k, slots: Slots::Empty })
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
        let shape @ [batch, seq, vocab] = logits.dims();
        let LayerRead { found, .. } = self.read(&normed);
        if found.k() == 0 {
            return logits;
        }
        mix_next(logits.reshape([batch * seq, vocab]), &found, self.lambda).reshape(shape)
    }

    /// Keys to be remembered of a pass; the caller gives the values.
    ///
    /// # Shapes
    /// `normed`: `[batch, seq, d_model]`
    pub fn read(&self, normed: &Tensor<3>) -> LayerRead {
        let Asked { found, keys, values } =
            self.slots.find(constant(normed), self.form, self.top_k);
        LayerRead { found, keys, values, trained: None }
    }
}
