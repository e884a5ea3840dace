//! Causal multi-head attention (Vaswani et al. 2017).

use burn::tensor::Tensor;

use super::Weights;
use crate::kernel::attention::{KeyValues, Mask, attend, pattern};
use crate::kernel::dropout::Dropout;
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

    /// The residual stream after attention has written into it, and the pattern it did so by.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after LayerNorm; `resid` and the result:
    /// `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        mask: &Mask,
        dropout: Dropout,
    ) -> (Tensor<3>, Pattern) {
        let qkv = self.project(x);
        let z = attend(qkv.clone(), self.n_heads, mask, dropout.site(1));
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
        cache: &mut KeyValues,
    ) -> Tensor<3> {
        let z = cache.attend(self.project(x));
        self.o.add(z, resid, Dropout::NONE)
    }

    fn project(&self, x: Tensor<3>) -> Tensor<3> {
        Linear::side_by_side([&self.q, &self.k, &self.v], x) // [batch, seq, 3 * d_model]
    }
}

/// A layer's attention pattern, which is only computed to be looked at.
#[derive(Clone, Debug)]
pub struct Pattern {
    qkv: Tensor<3>, // [batch, seq, 3 * d_model]
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
