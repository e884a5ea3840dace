//! Causal multi-head attention (Vaswani et al. 2017).

use burn::tensor::Tensor;
use burn::tensor::module::linear;

use super::Weights;
use crate::kernel::attention::{Mask, attend, pattern};

#[derive(Clone, Debug)]
pub struct Attention {
    n_heads: usize,
    w_q: Tensor<2>,         // [d_model, d_model]
    w_k: Tensor<2>,         // [d_model, d_model]
    w_v: Tensor<2>,         // [d_model, d_model]
    w_o: Tensor<2>,         // [d_model, d_model]
    b_q: Option<Tensor<1>>, // [d_model]
    b_k: Option<Tensor<1>>, // [d_model]
    b_v: Option<Tensor<1>>, // [d_model]
    b_o: Option<Tensor<1>>, // [d_model]
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
        let matrix = |of: &str| weights.matrix(&format!("{name}.W_{of}"));
        let vector = |of: &str| weights.vector(&format!("{name}.b_{of}"));
        Self {
            n_heads,
            w_q: matrix("Q"),
            w_k: matrix("K"),
            w_v: matrix("V"),
            w_o: matrix("O"),
            b_q: vector("Q"),
            b_k: vector("K"),
            b_v: vector("V"),
            b_o: vector("O"),
        }
    }

    /// What attention writes into the residual stream, and the pattern it does so by. With a
    /// `cache`, the tokens of `x` follow those in it, and join them. Without a `mask` every token
    /// sees every key: right for one token alone after those in a cache.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after LayerNorm; the result: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        mask: Option<&Mask>,
        p: f64,
        cache: Option<&mut Cache>,
    ) -> (Tensor<3>, Pattern) {
        let q = linear(x.clone(), self.w_q.clone(), self.b_q.clone());
        let mut k = linear(x.clone(), self.w_k.clone(), self.b_k.clone());
        let mut v = linear(x, self.w_v.clone(), self.b_v.clone());
        if let Some(cache) = cache {
            (k, v) = cache.append(k, v);
        }
        let pattern =
            Pattern { q: q.clone(), k: k.clone(), n_heads: self.n_heads, mask: mask.cloned() };
        let z = attend(q, k, v, self.n_heads, mask, p);
        (linear(z, self.w_o.clone(), self.b_o.clone()), pattern)
    }
}

/// A layer's attention pattern, which is only computed to be looked at.
#[derive(Clone, Debug)]
pub struct Pattern {
    q: Tensor<3>, // [batch, query, d_model]
    k: Tensor<3>, // [batch, key, d_model]
    n_heads: usize,
    mask: Option<Mask>,
}

impl Pattern {
    /// `[batch, head, query, key]`, whose rows sum to 1.
    pub fn compute(self) -> Tensor<4> {
        pattern(self.q, self.k, self.n_heads, self.mask.as_ref())
    }
}
