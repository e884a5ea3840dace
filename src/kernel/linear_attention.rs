//! Causal linear attention of every head (Katharopoulos et al. 2020): `z_t = φ(q_t) Σ_{s ≤ t} φ(k_s) v_sᵀ`, over the
//! sum of the weights `φ(q_t) · φ(k_s)` if φ keeps them positive. It takes time in proportion to the length.

mod cpu;
mod gpu;

use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};

use super::attention::Mask;
use super::fused;
use crate::arch::mixer::FeatureMap;

/// Linear attention of every head.
///
/// # Shapes
/// `qkv`: `[batch, seq, 3 * n_heads * d_head]`, queries, keys and values side by side; the result:
/// `[batch, seq, n_heads * d_head]`
pub fn attend(qkv: Tensor<3>, n_heads: usize, map: FeatureMap, mask: &Mask) -> Tensor<3> {
    let is_cpu = fused::is_cpu(&qkv.device());
    let qkv = [qkv.into_dispatch()];
    match is_cpu {
        true => fused::apply(cpu::Attend { n_heads, map, hidden: mask.on_host() }, qkv),
        false => fused::apply(gpu::Attend::new(n_heads, map, mask.on_gpu()), qkv),
    }
}

/// Linear attention of tokens that follow those in `state`, and the state after them. No gradient is taken of it.
///
/// # Shapes
/// `qkv`: as of [`attend`], with a batch of 1; `state`: `[n_heads, d_head, d_head + 1]`, the sums of `φ(k) vᵀ` with those
/// of `φ(k)` behind them
pub fn follow(
    qkv: Tensor<3>,
    n_heads: usize,
    map: FeatureMap,
    state: Option<Tensor<3>>,
) -> (Tensor<3>, Tensor<3>) {
    match fused::is_cpu(&qkv.device()) {
        true => cpu::follow(qkv, n_heads, map, state),
        false => gpu::follow(qkv, n_heads, map, state),
    }
}

/// [`attend`] in plain tensor operations, by the masked product of queries and keys.
pub fn reference(qkv: Tensor<3>, n_heads: usize, map: FeatureMap, mask: &Mask) -> Tensor<3> {
    let ([batch, seq, width], device) = (qkv.dims(), qkv.device());
    let d_head = width / 3 / n_heads;
    let part = |part: usize| {
        let x = qkv.clone().narrow(2, part * width / 3, width / 3);
        x.reshape([batch, seq, n_heads, d_head]).swap_dims(1, 2) // [batch, head, seq, d_head]
    };
    let (q, k) = match map {
        FeatureMap::Elu => (elu_plus_one(part(0)), elu_plus_one(part(1))),
        FeatureMap::Identity => (part(0).div_scalar((d_head as f64).sqrt()), part(1)),
    };
    let k = match mask.shown(&device) {
        Some(shown) => k * shown.unsqueeze_dim::<4>(1),
        None => k,
    };
    let seen = (0..seq).flat_map(|query| (0..seq).map(move |key| f32::from(key <= query)));
    let seen = TensorData::new(seen.collect::<Vec<f32>>(), [1, 1, seq, seq]);
    let weights = q.matmul(k.swap_dims(2, 3)) * Tensor::<4>::from_data(seen, &device);
    let z = weights.clone().matmul(part(2));
    let z = match map {
        FeatureMap::Elu => z / weights.sum_dim(3),
        FeatureMap::Identity => z,
    };
    z.swap_dims(1, 2).reshape([batch, seq, width / 3])
}

/// `elu(x) + 1`, which is above 0: `x + 1` above 0, `e^x` below.
fn elu_plus_one(x: Tensor<4>) -> Tensor<4> {
    relu(x.clone()) + relu(x.neg()).neg().exp()
}
