//! Causal multi-head attention by a softmax (Vaswani et al. 2017), and a memory beside it if the layer has one.

use burn::tensor::Tensor;

use super::Weights;
use super::heads::Heads;
use super::memorizing::Memorizing;
use super::memory::LayerRead;
use super::rotary::Rotation;
use crate::arch::{Side, SoftmaxAttention};
use crate::config::ModelConfig;
use crate::kernel::attention::{KeyValues, Mask, attend};
use crate::kernel::dropout::Dropout;
use crate::kernel::recall::Slots;

#[derive(Clone, Debug)]
pub struct Attention {
    heads: Heads,
    window: Option<usize>,
    memory: Option<Memorizing>,
}

impl Attention {
    pub fn new(
        config: &ModelConfig,
        part: SoftmaxAttention,
        weights: &Weights,
        name: &str,
    ) -> Self {
        let memory = part.memory.map(|part| Memorizing::new(config, part, weights, name));
        Self { heads: Heads::new(config, weights, name), window: part.window, memory }
    }

    /// Gives its memory, if it has one, these slots to read from.
    pub fn remember(&mut self, slots: Slots) {
        if let Some(memory) = &mut self.memory {
            memory.remember(slots);
        }
    }

    /// The residual stream after attention has written into it, and the look-up of its memory.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid` and the result: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        mask: &Mask,
        dropout: Dropout,
    ) -> (Tensor<3>, Option<LayerRead>) {
        let (qkv, unrotated) = self.project(x, rotation);
        let local = attend(qkv, self.heads.n_heads, self.window, mask, dropout.site(1));
        let (z, read) = self.mix(unrotated, local);
        (self.heads.write(z, resid, dropout.site(2)), read)
    }

    /// Room for the keys and values of `context` tokens, or of as many as are seen.
    pub fn cache(&self, context: usize) -> KeyValues {
        KeyValues::new(self.heads.n_heads, self.window, context)
    }

    /// As [`forward`](Self::forward), of tokens that follow those in `cache`, and join them: the residual
    /// stream alone.
    ///
    /// # Shapes
    /// As there, with a batch of 1.
    pub fn forward_cached(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        cache: &mut KeyValues,
    ) -> Tensor<3> {
        let (qkv, unrotated) = self.project(x, rotation);
        let (z, _) = self.mix(unrotated, cache.attend(qkv));
        self.heads.write(z, resid, Dropout::NONE)
    }

    /// Head outputs, with those of the memory mixed in, and its look-up.
    fn mix(
        &self,
        unrotated: Option<Tensor<3>>,
        local: Tensor<3>,
    ) -> (Tensor<3>, Option<LayerRead>) {
        let Some((memory, qkv)) = self.memory.as_ref().zip(unrotated) else { return (local, None) };
        let (z, read) = memory.mix(qkv, local);
        (z, Some(read))
    }

    /// Queries, keys and values side by side, and for a memory those before they are rotated:
    /// `[batch, seq, 3 * n_heads * d_head]` each.
    fn project(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> (Tensor<3>, Option<Tensor<3>>) {
        if self.memory.is_none() {
            return (self.heads.project(x, rotation), None);
        }
        let unrotated = self.heads.project(x, None);
        let Some(rotation) = rotation else { return (unrotated.clone(), Some(unrotated)) };
        let [batch, seq, width] = unrotated.dims();
        let (own, d_head) = (width / 3, self.heads.d_head);
        let part = |number: usize| unrotated.clone().narrow(2, number * own, own);
        let turned = |number: usize, side: Side| {
            let x = part(number).reshape([batch, seq, own / d_head, d_head]);
            rotation.apply(side, x).reshape([batch, seq, own])
        };
        let (q, k) = (turned(0, Side::Queries), turned(1, Side::Keys));
        (Tensor::cat(vec![q, k, part(2)], 2), Some(unrotated))
    }
}
