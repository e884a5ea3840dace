//! The delta rule (Schlag et al. 2021, Yang et al. 2024): a state `S` of keys by values is corrected by what it tells of each
//! key, `S_t = S_{t−1} + β_t k_t (v_t − S_{t−1}ᵀ k_t)ᵀ`, and read by queries, `z_t = S_tᵀ q_t`. Queries and keys go through
//! SiLU and have length 1; `β_t = σ(x_t W_beta + b_beta)`, one number a head.

use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::{Device, Tensor, TensorData};

use super::Weights;
use super::heads::Heads;
use super::rotary::Rotation;
use crate::arch::mixer::LENGTH_EPS;
use crate::config::ModelConfig;
use crate::kernel::attention::Mask;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;

/// Tokens that are computed at once: the state goes from chunk to chunk.
const CHUNK: usize = 16;

#[derive(Clone, Debug)]
pub struct DeltaRule {
    heads: Heads,
    beta: Linear, // [d_model, n_heads]
}

/// State after some tokens: `[n_heads, 1, d_head, d_head]`, keys by values.
#[derive(Clone, Debug, Default)]
pub struct DeltaState {
    state: Option<Tensor<4>>,
    tokens: usize,
}

impl DeltaState {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.tokens
    }
}

impl DeltaRule {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        Self { heads: Heads::new(config, weights, name), beta: weights.linear(name, "beta") }
    }

    /// The residual stream after the mixer has written into it. A hidden token corrects nothing.
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
        let device = x.device();
        let beta = sigmoid(self.beta.apply(x.clone()));
        let beta = match mask.shown(&device) {
            Some(shown) => beta * shown,
            None => beta,
        };
        let (z, _) = follow(self.heads.project(x, rotation), beta, self.heads.n_heads, None);
        self.heads.write(z, resid, dropout.site(2))
    }

    /// As [`forward`](Self::forward), of tokens that follow those in `state`, and join them.
    ///
    /// # Shapes
    /// As there, with a batch of 1.
    pub fn forward_cached(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        state: &mut DeltaState,
    ) -> Tensor<3> {
        let [_, seq, _] = x.dims();
        let beta = sigmoid(self.beta.apply(x.clone()));
        let qkv = self.heads.project(x, rotation);
        let (z, after) = follow(qkv, beta, self.heads.n_heads, state.state.take());
        *state = DeltaState { state: Some(after), tokens: state.tokens + seq };
        self.heads.write(z, resid, Dropout::NONE)
    }
}

/// Head outputs of tokens that follow those in `state`, and the state after them.
///
/// Within a chunk, the corrections `u` solve `(1 + A) u = β (v − S₀ᵀ k)`, where `A` holds `β_t k_t · k_s` below the diagonal
/// (Yang et al. 2024, section 3).
///
/// # Shapes
/// `qkv`: `[batch, seq, 3 * n_heads * d_head]`; `beta`: `[batch, seq, n_heads]`; `state`:
/// `[batch * n_heads, 1, d_head, d_head]`; the outputs: `[batch, seq, n_heads * d_head]`
pub fn follow(
    qkv: Tensor<3>,
    beta: Tensor<3>,
    n_heads: usize,
    state: Option<Tensor<4>>,
) -> (Tensor<3>, Tensor<4>) {
    let ([batch, seq, width], device) = (qkv.dims(), qkv.device());
    let (d_head, chunks) = (width / 3 / n_heads, seq.div_ceil(CHUNK));
    // [batch * head, chunk, token, number], with zeros for tokens that a chunk lacks
    let split = |x: Tensor<3>| {
        let [_, _, numbers] = x.dims();
        let x = x.reshape([batch, seq, n_heads, numbers / n_heads]).swap_dims(1, 2);
        let lacking = [batch, n_heads, chunks * CHUNK - seq, numbers / n_heads];
        let x = match lacking[2] {
            0 => x,
            _ => Tensor::cat(vec![x, Tensor::zeros(lacking, &device)], 2),
        };
        x.reshape([batch * n_heads, chunks, CHUNK, numbers / n_heads])
    };
    let part = |part: usize| split(qkv.clone().narrow(2, part * width / 3, width / 3));
    let (q, k, v, beta) = (unit(silu(part(0))), unit(silu(part(1))), part(2), split(beta));
    let below = |seen: fn(usize, usize) -> bool| triangle(&device, seen);
    let (by_key, by_token) = (k.clone() * beta.clone(), k.clone().swap_dims(2, 3));
    let overlap = by_key.clone().matmul(by_token.clone()) * below(|token, other| other < token);
    let solved = invert(overlap, &device);
    let (corrections, of_state) = (solved.clone().matmul(v * beta), solved.matmul(by_key));
    let scores = q.clone().matmul(by_token.clone()) * below(|token, other| other <= token);

    let mut state =
        state.unwrap_or_else(|| Tensor::zeros([batch * n_heads, 1, d_head, d_head], &device));
    let mut outputs = Vec::with_capacity(chunks);
    for chunk in 0..chunks {
        let own = |x: &Tensor<4>| x.clone().narrow(1, chunk, 1);
        let corrections = own(&corrections) - own(&of_state).matmul(state.clone());
        outputs.push(own(&q).matmul(state.clone()) + own(&scores).matmul(corrections.clone()));
        state = state + own(&by_token).matmul(corrections);
    }
    let z = Tensor::cat(outputs, 1).reshape([batch, n_heads, chunks * CHUNK, d_head]);
    let z = z.narrow(2, 0, seq).swap_dims(1, 2).reshape([batch, seq, n_heads * d_head]);
    (z, state)
}

/// Vectors of length 1 in the direction of `x`.
fn unit(x: Tensor<4>) -> Tensor<4> {
    let length = x.clone().square().sum_dim(3).add_scalar(LENGTH_EPS).sqrt();
    x / length
}

/// 1 where `seen` holds of a token and another of its chunk, else 0: `[1, 1, CHUNK, CHUNK]`.
fn triangle(device: &Device, seen: impl Fn(usize, usize) -> bool) -> Tensor<4> {
    let places = (0..CHUNK).flat_map(|token| (0..CHUNK).map(move |other| (token, other)));
    let values: Vec<f32> = places.map(|(token, other)| f32::from(seen(token, other))).collect();
    Tensor::from_data(TensorData::new(values, [1, 1, CHUNK, CHUNK]), device)
}

/// `(1 + a)⁻¹` of strictly lower triangular `a`, by blocks of twice the size at a time.
fn invert(a: Tensor<4>, device: &Device) -> Tensor<4> {
    let mut inverse = triangle(device, |token, other| token == other);
    let mut size = 1;
    while size < CHUNK {
        let is_beside = |token: usize, other: usize| {
            token / (2 * size) == other / (2 * size) && token / size > other / size
        };
        let beside = a.clone() * triangle(device, is_beside);
        inverse = inverse.clone() - inverse.clone().matmul(beside).matmul(inverse);
        size *= 2;
    }
    inverse
}
