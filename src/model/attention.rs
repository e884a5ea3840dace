//! Causal multi-head attention (Vaswani et al. 2017).

use burn::tensor::Tensor;

use super::Weights;
use crate::kernel::attention::{Cache, Mask, attend, pattern, split_qkv};
use crate::kernel::linear::Linear;

#[derive(Clone, Debug)]
pub struct Attention {
    n_heads: usize,
    q: Linear, // [d_model, d_model]
    k: Linear, // [d_model, d_model]
    v: Linear, // [d_model, d_model]
    o: Linear, // [d_model, d_model]
}

impl Attention {
    pub fn new(n_heads: usize, weights: &Weights, name: &str) -> Self {
        let [q, k, v, o] = ["Q", "K", "V", "O"].map(|of| weights.linear(name, of));
        Self { n_heads, q, k, v, o }
    }

    /// The residual stream after attention has written into it, a share `p` of that dropped, and
    /// the pattern it did so by.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after LayerNorm; `resid` and the result:
    /// `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        mask: &Mask,
        p: f64,
    ) -> (Tensor<3>, Pattern) {
        let qkv = self.project(x);
        let z = attend(qkv.clone(), self.n_heads, mask, p);
        let pattern = Pattern { qkv, n_heads: self.n_heads, mask: mask.clone() };
        (self.o.add(z, resid, p), pattern)
    }

    /// As [`forward`](Self::forward), of tokens that follow those in `cache`, and join them.
    ///
    /// # Shapes
    /// As there, with a batch of 1.
    pub fn forward_cached(&self, x: Tensor<3>, resid: Tensor<3>, cache: &mut Cache) -> Tensor<3> {
        let z = cache.attend(self.project(x), self.n_heads);
        self.o.add(z, resid, 0.0)
    }

    fn project(&self, x: Tensor<3>) -> Tensor<3> {
        Linear::side_by_side([&self.q, &self.k, &self.v], x) // [batch, seq, 3 * d_model]
    }
}

/// A layer's attention pattern among the tokens it was given, which is only computed to be looked
/// at.
#[derive(Clone, Debug)]
pub struct Pattern {
    qkv: Tensor<3>, // [batch, seq, 3 * d_model]
    n_heads: usize,
    mask: Mask,
}

impl Pattern {
    /// `[batch, head, query, key]`, whose rows sum to 1.
    pub fn compute(self) -> Tensor<4> {
        let [q, k, _] = split_qkv(self.qkv);
        pattern(q, k, self.n_heads, Some(&self.mask))
    }
}
