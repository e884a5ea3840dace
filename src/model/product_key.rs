//! Product keys in the place of a feed-forward layer (Lample et al. 2019): a query's halves each find their
//! nearest half-keys, and every pair of those has a value of its own.

use burn::tensor::Tensor;

use super::Weights;
use crate::arch::ProductKeys;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;
use crate::kernel::product_keys::read;

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
        let [half_keys, _] = self.keys[0].shape();
        let k = self.top_k.min(half_keys);
        let z = read(self.q.apply(x), &self.keys, &self.values, k);
        resid + dropout.site(3).apply(z)
    }
}
