//! Causal multi-head attention (Vaswani et al. 2017).

use burn::tensor::activation::softmax;
use burn::tensor::module::linear;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::{Weights, dropout};

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
    keys_values: Option<(Tensor<4>, Tensor<4>)>, // each [batch, head, key, d_head]
}

impl Cache {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.keys_values.as_ref().map_or(0, |(keys, _)| keys.dims()[2])
    }

    pub fn is_empty(&self) -> bool {
        self.keys_values.is_none()
    }

    /// All keys and values, those of new tokens at the end.
    fn append(&mut self, mut k: Tensor<4>, mut v: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        if let Some((keys, values)) = self.keys_values.take() {
            k = Tensor::cat(vec![keys, k], 2);
            v = Tensor::cat(vec![values, v], 2);
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

    /// What attention writes into the residual stream, and the pattern it did so by. With a
    /// `cache`, the tokens of `x` follow those in it, and join them. Without a `mask` every token
    /// sees every key: right for one token alone after those in a cache.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after LayerNorm; `mask`: see [`causal_mask`]; the result:
    /// `[batch, seq, d_model]` and `[batch, head, query, key]`, whose rows sum to 1.
    pub fn forward(
        &self,
        x: Tensor<3>,
        mask: Option<&Tensor<4>>,
        p: f64,
        cache: Option<&mut Cache>,
    ) -> (Tensor<3>, Tensor<4>) {
        let (q, mut k, mut v) = self.project(x);
        if let Some(cache) = cache {
            (k, v) = cache.append(k, v);
        }
        let (z, pattern) = attend(q, k, v, mask, p);
        (self.write(z), pattern)
    }

    fn project(&self, x: Tensor<3>) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let [batch, seq, d_model] = x.dims();
        let split = |w: &Tensor<2>, b: &Option<Tensor<1>>| {
            linear(x.clone(), w.clone(), b.clone())
                .reshape([batch, seq, self.n_heads, d_model / self.n_heads])
                .swap_dims(1, 2) // [batch, head, seq, d_head]
        };
        (split(&self.w_q, &self.b_q), split(&self.w_k, &self.b_k), split(&self.w_v, &self.b_v))
    }

    fn write(&self, z: Tensor<4>) -> Tensor<3> {
        let [batch, n_heads, seq, d_head] = z.dims();
        let z = z.swap_dims(1, 2).reshape([batch, seq, n_heads * d_head]); // [batch, seq, d_model]
        linear(z, self.w_o.clone(), self.b_o.clone())
    }
}

/// `softmax(q kᵀ / sqrt(d_head)) v` and the pattern.
///
/// # Shapes
/// `q`: `[batch, head, query, d_head]`; `k` and `v`: `[batch, head, key, d_head]`; the result:
/// `[batch, head, query, d_head]` and `[batch, head, query, key]`.
fn attend(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    mask: Option<&Tensor<4>>,
    p: f64,
) -> (Tensor<4>, Tensor<4>) {
    let d_head = q.dims()[3] as f64;
    let mut scores = q.div_scalar(d_head.sqrt()).matmul(k.swap_dims(2, 3)); // [batch, head, query, key]
    if let Some(mask) = mask {
        scores = scores + mask.clone();
    }
    let pattern = softmax(scores, 3);
    let z = dropout(pattern.clone(), p).matmul(v);
    (z, pattern)
}

/// What is added to the score of a key that is not to be seen.
const HIDDEN: f64 = -1e9;

/// What is added to the scores so that no token sees a later one: 0 up to the query's own place
/// and [`HIDDEN`] after it, `[1, 1, seq, seq]`.
pub fn causal_mask(seq: usize, device: &Device) -> Tensor<4> {
    let values = (0..seq)
        .flat_map(|query| (0..seq).map(move |key| if key <= query { 0.0 } else { HIDDEN as f32 }))
        .collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(values, [1, 1, seq, seq]), device)
}

/// What is added to the scores so that no token sees the `hidden` ones.
///
/// # Shapes
/// `hidden`: `[batch, key]`; the result: `[batch, 1, 1, key]`
pub fn hide_keys(hidden: Tensor<2, Bool>) -> Tensor<4> {
    let [batch, seq] = hidden.dims();
    hidden.float().mul_scalar(HIDDEN).reshape([batch, 1, 1, seq])
}
