//! Causal multi-head attention (Vaswani et al. 2017), and what may turn or share its heads.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::Weights;
use super::norm::Norm;
use super::rotary::Rotation;
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
}

impl Attention {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        let [q, k, v, o] = ["Q", "K", "V", "O"].map(|of| weights.linear(name, of));
        let [q_norm, k_norm] = ["q_norm", "k_norm"]
            .map(|norm| Norm::of_heads(config, weights, &format!("{name}.{norm}")));
        let (n_heads, d_head) = (config.n_heads, config.d_head());
        let is_simple = config.kv_heads() == n_heads && !config.qk_norm;
        let contribution = weights.vector(&format!("{name}.contribution"));
        Self { n_heads, d_head, q, k, v, o, is_simple, q_norm, k_norm, contribution }
    }

    /// The residual stream after attention has written into it, and the pattern it did so by.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid` and the result:
    /// `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        mask: &Mask,
        dropout: Dropout,
    ) -> (Tensor<3>, Pattern) {
        let qkv = self.project(x, rotation);
        let z = self.weigh(attend(qkv.clone(), self.n_heads, mask, dropout.site(1)));
        let pattern = Pattern { qkv, n_heads: self.n_heads };
        (self.o.add(z, resid, dropout.site(2)), pattern)
    }

    /// Room for the keys and values of `context` tokens.
    pub fn cache(&self, context: usize) -> KeyValues {
        KeyValues::new(self.n_heads, context)
    }

    /// As [`forward`](Self::forward), of tokens that follow those in `cache`, and join them.
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
        let z = self.weigh(cache.attend(self.project(x, rotation)));
        self.o.add(z, resid, Dropout::NONE)
    }

    /// Queries, keys and values side by side, those of each head as it uses them:
    /// `[batch, seq, 3 * n_heads * d_head]`.
    fn project(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> Tensor<3> {
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
