//! Causal multi-head attention (Vaswani et al. 2017).

use burn::tensor::Tensor;

use super::Weights;
use crate::kernel::attention::{Mask, attend, pattern, reference, split_qkv};
use crate::kernel::linear::Linear;

#[derive(Clone, Debug)]
pub struct Attention {
    n_heads: usize,
    q: Linear, // [d_model, d_model]
    k: Linear, // [d_model, d_model]
    v: Linear, // [d_model, d_model]
    o: Linear, // [d_model, d_model]
}

/// Keys and values of the tokens so far, so that generation computes each token once.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    keys_values: Option<(Tensor<3>, Tensor<3>)>, // each [batch, key, d_model]
}

impl Cache {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.keys_values.as_ref().map_or(0, |(keys, _)| keys.dims()[1])
    }

    pub fn is_empty(&self) -> bool {
        self.keys_values.is_none()
    }

    /// All keys and values, those of new tokens at the end.
    fn append(&mut self, mut k: Tensor<3>, mut v: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        if let Some((keys, values)) = self.keys_values.take() {
            k = Tensor::cat(vec![keys, k], 1);
            v = Tensor::cat(vec![values, v], 1);
        }
        self.keys_values = Some((k.clone(), v.clone()));
        (k, v)
    }
}

impl Attention {
    pub fn new(n_heads: usize, weights: &Weights, name: &str) -> Self {
        let [q, k, v, o] = ["Q", "K", "V", "O"].map(|of| weights.linear(name, of));
        Self { n_heads, q, k, v, o }
    }

    /// The residual stream after attention has written into it, a share `p` of that dropped, and
    /// the pattern it did so by. With a `cache`, the tokens of `x` follow those in it, and join
    /// them. Without a `mask` every token sees every key: right for one token alone after those
    /// in a cache.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after LayerNorm; `resid` and the result:
    /// `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        mask: Option<&Mask>,
        p: f64,
        cache: Option<&mut Cache>,
    ) -> (Tensor<3>, Pattern) {
        let n_heads = self.n_heads;
        let qkv = Linear::side_by_side([&self.q, &self.k, &self.v], x);
        let pattern = Pattern { qkv: qkv.clone(), n_heads, mask: mask.cloned() };
        let z = match (mask, cache) {
            (Some(mask), None) => attend(qkv, n_heads, mask, p),
            (mask, cache) => {
                let [q, mut k, mut v] = split_qkv(qkv);
                if let Some(cache) = cache {
                    (k, v) = cache.append(k, v);
                }
                reference(q, k, v, n_heads, mask, p)
            }
        };
        (self.o.add(z, resid, p), pattern)
    }
}

/// A layer's attention pattern among the tokens it was given, which is only computed to be looked
/// at.
#[derive(Clone, Debug)]
pub struct Pattern {
    qkv: Tensor<3>, // [batch, seq, 3 * d_model]
    n_heads: usize,
    mask: Option<Mask>,
}

impl Pattern {
    /// `[batch, head, query, key]`, whose rows sum to 1.
    pub fn compute(self) -> Tensor<4> {
        let [q, k, _] = split_qkv(self.qkv);
        pattern(q, k, self.n_heads, self.mask.as_ref())
    }
}
