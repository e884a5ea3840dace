//! Attention that also reads from a store of keys and values that tokens of earlier steps left (Wu et al. 2022,
//! "Memorizing Transformers").
//!
//! A slot holds all heads' keys side by side, each of length 1 and all together of length 1, and all heads'
//! values. So one search a token serves every head, and what is near is what is near for the heads together;
//! each head then weighs what was found by its own part. Queries and keys are those before rotary positions
//! turn them, for what was written down long ago has no distance. Nothing flows into the store: what is found
//! and what is written down are constants, and gradients go through queries, sharpness and gates.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::Weights;
use super::memory::{LayerRead, constant, rows, unit};
use super::slots::Slots;
use crate::arch;
use crate::arch::SHARPNESS;
use crate::config::ModelConfig;
use crate::kernel::param::Param;

#[derive(Clone, Debug)]
pub(super) struct Memorizing {
    gate: Param<1>,      // [n_heads], before the sigmoid
    sharpness: Param<1>, // [1]
    n_heads: usize,
    d_head: usize,
    top_k: usize,
    slots: Slots,
}

impl Memorizing {
    /// The memory of the attention `name`, which is empty.
    ///
    /// # Panics
    /// If the model has no such memory.
    pub(super) fn new(
        config: &ModelConfig,
        part: arch::Memorizing,
        weights: &Weights,
        name: &str,
    ) -> Self {
        let own = |of: &str| weights.vector(&format!("{name}.{of}")).expect("it is declared");
        Self {
            gate: own("gate"),
            sharpness: own("sharpness"),
            n_heads: config.n_heads,
            d_head: config.d_head(),
            top_k: part.top_k,
            slots: Slots::Empty,
        }
    }

    pub(super) fn remember(&mut self, slots: Slots) {
        self.slots = slots;
    }

    /// `g z_memory + (1 - g) z_local` of every head, g = σ(b) with a trained b of its own, and what was read.
    /// With nothing remembered, `local` as it is.
    ///
    /// # Shapes
    /// `qkv`: `[batch, seq, 3 * n_heads * d_head]`, not turned; `local` and the result:
    /// `[batch, seq, n_heads * d_head]`
    pub(super) fn mix(&self, qkv: Tensor<3>, local: Tensor<3>) -> (Tensor<3>, LayerRead) {
        let [batch, seq, width] = local.dims();
        let n = batch * seq;
        let written = constant(&qkv);
        let part = |of: &Tensor<3>, at: usize| rows(of.clone().narrow(2, at * width, width));
        let q = self.unit_heads(part(&qkv, 0)); // [n, n_heads * d_head]
        let nearest = self.slots.nearest(constant(&q), self.top_k);
        let (keys, values) = (self.unit_heads(part(&written, 1)), part(&written, 2));
        let read = LayerRead { nearest, keys, values, trained: None };
        if read.nearest.k() == 0 {
            return (local, read);
        }
        let [keys, values] = read.nearest.slots(n, &local.device());
        let remembered = self.attend(q, keys, values);
        let gate = sigmoid(self.gate.tensor()).reshape([1, self.n_heads, 1]);
        let local = local.reshape([n, self.n_heads, self.d_head]);
        let kept = gate.clone().neg().add_scalar(1.0);
        ((remembered * gate + local * kept).reshape([batch, seq, width]), read)
    }

    /// Mean of the values found, by head: the softmax of its cosines of keys with its query weighs them.
    ///
    /// # Shapes
    /// `q`: `[n, n_heads * d_head]`; `keys` and `values`: `[n, k, n_heads * d_head]`; the result:
    /// `[n, n_heads, d_head]`
    fn attend(&self, q: Tensor<2>, keys: Tensor<3>, values: Tensor<3>) -> Tensor<3> {
        let [n, k, _] = keys.dims();
        let (heads, d_head) = (self.n_heads, self.d_head);
        let by_head = |x: Tensor<3>| x.reshape([n, k, heads, d_head]);
        let products = (q.reshape([n, 1, heads, d_head]) * by_head(keys)).sum_dim(3); // [n, k, n_heads, 1]
        // A head's part of a query or a key has length 1/sqrt(n_heads), and their product is that of both.
        let scale = SHARPNESS * heads as f32;
        let sharpness = self.sharpness.tensor().abs().mul_scalar(scale).reshape([1, 1, 1, 1]);
        let weights = softmax(products * sharpness);
        (weights * by_head(values)).sum_dim(1).reshape([n, heads, d_head])
    }

    /// Each head's part scaled to length 1, and all together to length 1.
    ///
    /// # Shapes
    /// `x` and the result: `[n, n_heads * d_head]`
    fn unit_heads(&self, x: Tensor<2>) -> Tensor<2> {
        let [n, width] = x.dims();
        let heads = unit(x.reshape([n * self.n_heads, self.d_head]));
        heads.reshape([n, width]).div_scalar((self.n_heads as f32).sqrt())
    }
}

/// Softmax over the slots. What is nearest to all heads need not be to each, so the largest is looked for, among
/// constants: its gradient would be 0 anyway.
///
/// # Shapes
/// `scores` and the result: `[n, k, n_heads, 1]`
fn softmax(scores: Tensor<4>) -> Tensor<4> {
    let largest = constant(&scores).max_dim(1);
    let largest = if scores.is_autodiff() { largest.autodiff() } else { largest };
    let powers = (scores - largest).exp();
    let total = powers.clone().sum_dim(1);
    powers / total
}
