//! Causal multi-head attention (Vaswani et al. 2017), and what may turn or share its heads, or have them read
//! from a memory as well.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::Weights;
use super::memorizing::Memorizing;
use super::memory::LayerRead;
use super::norm::Norm;
use super::rotary::Rotation;
use super::slots::Slots;
use crate::config::ModelConfig;
use crate::kernel::attention::{KeyValues, Mask, attend, pattern};
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;

#[derive(Clone, Debug)]
pub struct Attention {
    n_heads: usize,
    d_head: usize,
    q: Linear, // [d_model, n_heads * d_head]
    k: Linear, // [d_model, kv_heads * d_head]
    v: Linear, // [d_model, kv_heads * d_head]
    o: Linear, // [n_heads * d_head, d_model]
    /// Whether every head has keys of its own, used as they are but for a rotation.
    is_simple: bool,
    q_norm: Norm,                   // [d_head]
    k_norm: Norm,                   // [d_head]
    contribution: Option<Param<1>>, // [n_heads], before the sigmoid
    memory: Option<Memorizing>,
}

/// What attention did to a batch.
#[derive(Clone, Debug)]
pub struct Attended {
    /// The residual stream after attention has written into it: `[batch, seq, d_model]`
    pub resid: Tensor<3>,
    /// What it did so by.
    pub pattern: Pattern,
    /// Of attention with a memory.
    pub read: Option<LayerRead>,
}

impl Attention {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        let [q, k, v, o] = ["Q", "K", "V", "O"].map(|of| weights.linear(name, of));
        let [q_norm, k_norm] = ["q_norm", "k_norm"]
            .map(|norm| Norm::of_heads(config, weights, &format!("{name}.{norm}")));
        let (n_heads, d_head) = (config.n_heads, config.d_head());
        let is_simple = config.kv_heads() == n_heads && !config.qk_norm;
        let contribution = weights.vector(&format!("{name}.contribution"));
        let memory = Memorizing::new(config, weights, name);
        Self { n_heads, d_head, q, k, v, o, is_simple, q_norm, k_norm, contribution, memory }
    }

    /// Has its memory, if it has one, read from these slots.
    pub fn remember(&mut self, slots: Slots) {
        if let Some(memory) = &mut self.memory {
            memory.remember(slots);
        }
    }

    /// Writes into the residual stream.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid`: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        mask: &Mask,
        dropout: Dropout,
    ) -> Attended {
        let (qkv, unturned) = self.project(x, rotation);
        let local = attend(qkv.clone(), self.n_heads, mask, dropout.site(1));
        let (z, read) = self.mix(unturned, local);
        let pattern = Pattern { qkv, n_heads: self.n_heads };
        let resid = self.o.add(self.weigh(z), resid, dropout.site(2));
        Attended { resid, pattern, read }
    }

    /// Room for the keys and values of `context` tokens.
    pub fn cache(&self, context: usize) -> KeyValues {
        KeyValues::new(self.n_heads, context)
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
        let (qkv, unturned) = self.project(x, rotation);
        let (z, _) = self.mix(unturned, cache.attend(qkv));
        self.o.add(self.weigh(z), resid, Dropout::NONE)
    }

    /// What heads read, with what their memory has for them.
    fn mix(&self, unturned: Option<Tensor<3>>, local: Tensor<3>) -> (Tensor<3>, Option<LayerRead>) {
        let Some((memory, qkv)) = self.memory.as_ref().zip(unturned) else { return (local, None) };
        let (z, read) = memory.mix(qkv, local);
        (z, Some(read))
    }

    /// Queries, keys and values side by side, those of each head as it uses them; and for a memory, those
    /// before they are turned: `[batch, seq, 3 * n_heads * d_head]` each.
    fn project(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> (Tensor<3>, Option<Tensor<3>>) {
        if self.memory.is_none() {
            return (self.side_by_side(x, rotation), None);
        }
        let unturned = self.side_by_side(x, None);
        let Some(rotation) = rotation else { return (unturned.clone(), Some(unturned)) };
        let [batch, seq, width] = unturned.dims();
        let (turned, d_head) = (2 * width / 3, self.d_head);
        let qk = unturned.clone().narrow(2, 0, turned);
        let qk = rotation.apply(qk.reshape([batch, seq, turned / d_head, d_head]));
        let v = unturned.clone().narrow(2, turned, width - turned);
        (Tensor::cat(vec![qk.reshape([batch, seq, turned]), v], 2), Some(unturned))
    }

    /// Queries, keys and values of every head, turned if there is a rotation.
    fn side_by_side(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> Tensor<3> {
        if self.is_simple && rotation.is_none() {
            return Linear::side_by_side([&self.q, &self.k, &self.v], x);
        }
        let q = self.turn(self.q.apply(x.clone()), &self.q_norm, rotation);
        let k = self.turn(self.k.apply(x.clone()), &self.k_norm, rotation);
        let v = self.v.apply(x);
        Tensor::cat(vec![q, self.share(k), self.share(v)], 2)
    }

    /// What heads read, `[batch, seq, n_heads * d_head]`, each times what it contributes.
    fn weigh(&self, z: Tensor<3>) -> Tensor<3> {
        let Some(contribution) = &self.contribution else { return z };
        let [batch, seq, width] = z.dims();
        let (heads, d_head) = (self.n_heads, self.d_head);
        let shares = sigmoid(contribution.tensor()).reshape([1, 1, heads, 1]);
        (z.reshape([batch, seq, heads, d_head]) * shares).reshape([batch, seq, width])
    }

    /// Queries or keys through the norm and the rotation of each head.
    fn turn(&self, x: Tensor<3>, norm: &Norm, rotation: Option<&Rotation>) -> Tensor<3> {
        let [batch, seq, width] = x.dims();
        let heads = width / self.d_head;
        let x = norm.forward(x.reshape([batch, seq * heads, self.d_head]));
        let Some(rotation) = rotation else { return x.reshape([batch, seq, width]) };
        let x = rotation.apply(x.reshape([batch, seq, heads, self.d_head]));
        x.reshape([batch, seq, width])
    }

    /// Keys or values once for each head that reads them (Ainslie et al. 2023).
    fn share(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, seq, width] = x.dims();
        let heads = width / self.d_head;
        let each = x.reshape([batch, seq, heads, self.d_head]);
        let readers = vec![each; self.n_heads / heads];
        Tensor::cat(readers, 3).reshape([batch, seq, self.n_heads * self.d_head])
    }
}

/// What a head contributes whose number is `c`: σ(c).
pub fn contribution(c: f32) -> f32 {
    1.0 / (1.0 + (-c).exp())
}

/// A layer's attention pattern, which is only computed to be looked at.
#[derive(Clone, Debug)]
pub struct Pattern {
    qkv: Tensor<3>, // [batch, seq, 3 * n_heads * d_head]
    n_heads: usize,
}

impl Pattern {
    /// What [`read`](Self::read) is to be given.
    pub fn source(&self) -> Tensor<3> {
        self.qkv.clone()
    }

    /// `[batch, head, query, key]`, whose rows sum to 1, from what was read back of
    /// [`source`](Self::source). What is forgotten in training is seen.
    pub fn read(&self, source: &[f32]) -> Vec<f32> {
        let [_, seq, width] = self.qkv.dims();
        let of_row = |row| pattern(row, width / 3, self.n_heads);
        source.chunks(seq * width).flat_map(of_row).collect()
    }
}
