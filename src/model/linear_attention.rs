//! Causal linear attention (Katharopoulos et al. 2020): `z_t = φ(q_t) Σ_{s ≤ t} φ(k_s) v_sᵀ`, over the sum of the
//! weights `φ(q_t) · φ(k_s)` if φ keeps them positive. A token costs the same however many came before.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::Weights;
use super::heads::Heads;
use super::rotary::Rotation;
use crate::arch::mixer::FeatureMap;
use crate::config::ModelConfig;
use crate::kernel::attention::Mask;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear_attention::causal_product;

#[derive(Clone, Debug)]
pub struct LinearAttention {
    heads: Heads,
    feature_map: FeatureMap,
}

/// The sum of `φ(k_s) v_sᵀ` over the tokens so far, where values of a normalized map end with a 1.
#[derive(Clone, Debug, Default)]
pub struct LinearState {
    sum: Option<Tensor<4>>, // [1, head, d_head, d_value]
    tokens: usize,
}

impl LinearState {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.tokens
    }
}

impl LinearAttention {
    pub fn new(
        config: &ModelConfig,
        feature_map: FeatureMap,
        weights: &Weights,
        name: &str,
    ) -> Self {
        Self { heads: Heads::new(config, weights, name), feature_map }
    }

    /// The residual stream after attention has written into it.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid` and the result: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        mask: &Mask,
        dropout: Dropout,
    ) -> Tensor<3> {
        let [q, k, v] = self.project(x, rotation);
        let k = match mask.shown(&k.device()) {
            Some(shown) => k * shown,
            None => k,
        };
        let z = self.normalize(causal_product(q, k, v, self.heads.n_heads));
        self.heads.write(z, resid, dropout.site(2))
    }

    /// As [`forward`](Self::forward), of tokens that follow those in `state`, and join them; one token, unless
    /// the state is empty.
    ///
    /// # Shapes
    /// As there, with a batch of 1.
    pub fn forward_cached(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        state: &mut LinearState,
    ) -> Tensor<3> {
        let [_, seq, _] = x.dims();
        let n_heads = self.heads.n_heads;
        let [q, k, v] = self.project(x, rotation);
        let [d_key, d_value] = [&k, &v].map(|x| x.dims()[2] / n_heads);
        let keys = k.clone().reshape([seq, n_heads, d_key, 1]);
        let values = v.clone().reshape([seq, n_heads, 1, d_value]);
        let added = (keys * values).sum_dim(0); // [1, head, d_key, d_value]
        let sum = match state.sum.take() {
            Some(sum) => sum + added,
            None => added,
        };
        let z = match seq {
            1 => {
                let read = q.reshape([1, n_heads, d_key, 1]) * sum.clone();
                read.sum_dim(2).reshape([1, 1, n_heads * d_value])
            }
            _ => causal_product(q, k, v, n_heads),
        };
        (state.sum, state.tokens) = (Some(sum), state.tokens + seq);
        self.heads.write(self.normalize(z), resid, Dropout::NONE)
    }

    /// Features of queries and keys, and values: `[batch, seq, n_heads * d]` each.
    fn project(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> [Tensor<3>; 3] {
        let width = self.heads.n_heads * self.heads.d_head;
        let qkv = self.heads.project(x, rotation);
        let [q, k, v] = [0, 1, 2].map(|part| qkv.clone().narrow(2, part * width, width));
        match self.feature_map {
            FeatureMap::Elu => [elu_plus_one(q), elu_plus_one(k), self.with_ones(v)],
            FeatureMap::Identity => {
                [q.div_scalar((self.heads.d_head as f64).sqrt()), k, v]
            }
        }
    }

    /// Values of each head with a 1 behind them, whose weighted sum is the sum of the weights.
    fn with_ones(&self, v: Tensor<3>) -> Tensor<3> {
        let [batch, seq, _] = v.dims();
        let (heads, d_head) = (self.heads.n_heads, self.heads.d_head);
        let ones = Tensor::ones([batch, seq, heads, 1], &v.device());
        let v = v.reshape([batch, seq, heads, d_head]);
        Tensor::cat(vec![v, ones], 3).reshape([batch, seq, heads * (d_head + 1)])
    }

    /// Head outputs over the sums of their weights, if the map has them: `[batch, seq, n_heads * d_head]`.
    fn normalize(&self, z: Tensor<3>) -> Tensor<3> {
        match self.feature_map {
            FeatureMap::Identity => z,
            FeatureMap::Elu => {
                let [batch, seq, _] = z.dims();
                let (heads, d_head) = (self.heads.n_heads, self.heads.d_head);
                let z = z.reshape([batch, seq, heads, d_head + 1]);
                let total = z.clone().narrow(3, d_head, 1);
                let z = z.narrow(3, 0, d_head) / total;
                z.reshape([batch, seq, heads * d_head])
            }
        }
    }
}

/// `elu(x) + 1`, which is above 0: `x + 1` above 0, `e^x` below.
fn elu_plus_one(x: Tensor<3>) -> Tensor<3> {
    relu(x.clone()) + relu(x.neg()).neg().exp()
}
