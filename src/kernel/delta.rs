//! The delta rule of every head (Schlag et al. 2021, Yang et al. 2024): a state `S` of keys by values is corrected by what it
//! tells of each key, `S_t = S_{t−1} + β_t k_t w_tᵀ` with `w_t = v_t − S_{t−1}ᵀ k_t`, and read by queries, `z_t = S_tᵀ q_t`.
//! Queries and keys go through SiLU and have length 1.

mod cpu;
mod gpu;

use burn::tensor::Tensor;

use super::fused;

/// Outputs of every head.
///
/// # Shapes
/// `qkv`: `[batch, seq, 3 * n_heads * d_head]`, queries, keys and values side by side; `beta`: `[batch, seq, n_heads]`; the
/// result: `[batch, seq, n_heads * d_head]`
pub fn attend(qkv: Tensor<3>, beta: Tensor<3>) -> Tensor<3> {
    let [_, _, n_heads] = beta.dims();
    let is_cpu = fused::is_cpu(&qkv.device());
    let inputs = [qkv.into_dispatch(), beta.into_dispatch()];
    match is_cpu {
        true => fused::apply(cpu::Attend { n_heads }, inputs),
        false => fused::apply(gpu::Attend { n_heads }, inputs),
    }
}

/// Outputs of tokens that follow those in `state`, and the state after them. No gradient is taken of it.
///
/// # Shapes
/// `qkv` and `beta`: as of [`attend`], with a batch of 1; `state`: `[n_heads, d_head, d_head]`, keys by values
pub fn follow(qkv: Tensor<3>, beta: Tensor<3>, state: Option<Tensor<3>>) -> (Tensor<3>, Tensor<3>) {
    match fused::is_cpu(&qkv.device()) {
        true => cpu::follow(qkv, beta, state),
        false => gpu::follow(qkv, beta, state),
    }
}
