//! Product keys in the place of a feed-forward layer (Lample et al. 2019): a query's halves each find their
//! nearest half-keys, and every pair of those has a value of its own.

use burn::tensor::activation::softmax;
use burn::tensor::{Int, Tensor};

use super::Weights;
use crate::config::ModelConfig;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;
use crate::kernel::top::top;

#[derive(Clone, Debug)]
pub struct ProductKey {
    q: Linear,           // [d_model, d_key]
    keys: [Param<2>; 2], // [half_keys, d_key / 2]
    values: Param<2>,    // [half_keys², d_model]
    top_k: usize,
}

impl ProductKey {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        Self {
            q: weights.linear(name, "Q"),
            keys: ["first", "second"].map(|of| weights.matrix(&format!("{name}.K_{of}"))),
            values: weights.matrix(&format!("{name}.values")),
            top_k: config.memory.top_k,
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
        let [(first, rows), (second, columns)] = [0, 1].map(|at| {
            let part = q.clone().slice([0..batch, 0..seq, at * half..(at + 1) * half]);
            best(Linear::unembed(&self.keys[at], part).reshape([n, half_keys]), k)
        });
        let pairs = first.unsqueeze_dim::<3>(2) + second.unsqueeze_dim::<3>(1);
        let (scores, pair) = best(pairs.reshape([n, k * k]), k);
        let row = rows.gather(1, pair.clone().div_scalar(k as i64));
        let column = columns.gather(1, pair.remainder_scalar(k as i64));
        let places = row.mul_scalar(half_keys as i64) + column; // [n, k]
        let values = self.values.tensor().select(0, places.reshape([n * k]));
        let weights = softmax(scores, 1).unsqueeze_dim::<3>(2); // [n, k, 1]
        let z = (weights * values.reshape([n, k, d_model])).sum_dim(1); // [n, 1, d_model]
        resid + dropout.site(3).apply(z.reshape([batch, seq, d_model]))
    }
}

/// The `k` largest of each row, and where they are.
///
/// # Shapes
/// `scores`: `[n, width]`; the results: `[n, k]`
fn best(scores: Tensor<2>, k: usize) -> (Tensor<2>, Tensor<2, Int>) {
    let places = top(scores.clone(), k);
    (scores.gather(1, places.clone()), places)
}
