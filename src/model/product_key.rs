//! Product keys in the place of a feed-forward layer (Lample et al. 2019): a query's halves each find their
//! nearest half-keys, and every pair of those has a value of its own.

use burn::tensor::Tensor;

use super::Weights;
use crate::arch::ProductKeys;
use crate::kernel::dropout::Dropout;
use crate::kernel::embedding::embed;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;
use crate::kernel::top::{top, top_pairs};

#[derive(Clone, Debug)]
pub struct ProductKey {
    q: Linear,           // [d_model, d_key]
    keys: [Param<2>; 2], // [half_keys, d_key / 2]
    values: Param<2>,    // [half_keys², d_model]
    top_k: usize,
}

impl ProductKey {
    pub fn new(part: ProductKeys, weights: &Weights, name: &str) -> Self {
        Self {
            q: weights.linear(name, "Q"),
            keys: ["first", "second"].map(|of| weights.matrix(&format!("{name}.K_{of}"))),
            values: weights.matrix(&format!("{name}.values")),
            top_k: part.top_k,
        }
    }

    /// The residual stream after this layer has written into it.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid` and the result: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>, resid: Tensor<3>, dropout: Dropout) -> Tensor<3> {
        let [batch, seq, d_model] = x.dims();
        let n = batch * seq;
        let q = self.q.apply(x); // [batch, seq, d_key]
        let [_, _, d_key] = q.dims();
        let half = d_key / 2;
        let [half_keys, _] = self.keys[0].shape();
        let k = self.top_k.min(half_keys);
        let halves =
            [0, 1].map(|at| q.clone().slice([0..batch, 0..seq, at * half..(at + 1) * half])); // [batch, seq, half]
        let scores = [0, 1]
            .map(|at| Linear::unembed(&self.keys[at], halves[at].clone()).reshape([n, half_keys]));
        let places = scores.clone().map(|scores| top(scores, k));
        let [first, second, values] = top_pairs(scores, places); // [n, k]
        // From the keys found, through which the gradient goes.
        let score = |at: usize, places| {
            let keys = embed(places, &self.keys[at], None, 0); // [n, k, half]
            let query = halves[at].clone().reshape([n, 1, half]);
            (keys * query).sum_dim(2).squeeze_dim::<2>(2)
        };
        let scores = score(0, first) + score(1, second); // [n, k]
        let values = embed(values, &self.values, None, 0); // [n, k, d_model]
        let weights = softmax_from_first(scores).unsqueeze_dim::<3>(2); // [n, k, 1]
        let z = (weights * values).sum_dim(1); // [n, 1, d_model]
        resid + dropout.site(3).apply(z.reshape([batch, seq, d_model]))
    }
}

/// Softmax of scores, of which the first is the largest or nearly so: that of the nearest. Taking it off, and
/// not the largest, spares a browser Burn's search for the largest and its gradient.
///
/// # Shapes
/// `scores` and the result: `[n, k]`
fn softmax_from_first(scores: Tensor<2>) -> Tensor<2> {
    let first = scores.clone().narrow(1, 0, 1);
    let powers = (scores - first).exp();
    let total = powers.clone().sum_dim(1);
    powers / total
}
