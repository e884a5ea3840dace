//! Causal regularized least squares of every head (Garnelo & Czarnecki 2023, von Oswald et al. 2023): the weights `W_t` that
//! predict values from keys, `W_t = A_t⁻¹ B_t` with `A_t = γ_t A_{t−1} + k_t k_tᵀ`, `A_0 = α`, and
//! `B_t = γ_t B_{t−1} + k_t v_tᵀ`, are read by queries, `z_t = W_tᵀ q_t`.
//!
//! Weights are corrected by what they predict wrongly, `W_t = W_{t−1} + g_t (v_t − W_{t−1}ᵀ k_t)ᵀ`, in proportion to the gain
//! `g_t = A_t⁻¹ k_t`. Beside them a root `R` of `A⁻¹ = R Rᵀ` is kept (Potter 1963), whose product is positive however it is
//! rounded. The CPU keeps both in 64 bits, a GPU in 32. As γ shrinks α with all else, let `α_t` be the product of α and
//! every γ: if keys leave a direction out, a GPU's outputs are off by some `1e-7 |k| |q| √t / α_t`.

mod cpu;
mod gpu;
mod regression;

use burn::tensor::Tensor;

use super::attention::Mask;
use super::fused;

pub use regression::Regression;

/// Outputs of every head. A hidden token is neither learned nor forgotten by.
///
/// # Shapes
/// `qkv`: `[batch, seq, 3 * n_heads * d_head]`, queries, keys and values side by side; `gamma`: `[batch, seq, n_heads]`, above
/// 0 and up to 1; `log_ridge`: `[n_heads]`, ln α; the result: `[batch, seq, n_heads * d_head]`
pub fn attend(qkv: Tensor<3>, gamma: Tensor<3>, log_ridge: Tensor<1>, mask: &Mask) -> Tensor<3> {
    let [n_heads] = log_ridge.dims();
    let is_cpu = fused::is_cpu(&qkv.device());
    let inputs = [qkv.into_dispatch(), gamma.into_dispatch(), log_ridge.into_dispatch()];
    match is_cpu {
        true => fused::apply(cpu::Attend { n_heads, hidden: mask.on_host() }, inputs),
        false => fused::apply(gpu::Attend::new(n_heads, mask.on_gpu()), inputs),
    }
}

/// Outputs of tokens that follow those in `state`, and the state after them. No gradient is taken of it.
///
/// # Shapes
/// `qkv`, `gamma` and `log_ridge`: as of [`attend`], with a batch of 1; `state`: `[n_heads, 2 * d_head, d_head]`, the root and
/// the weights, keys by values
pub fn follow(
    qkv: Tensor<3>,
    gamma: Tensor<3>,
    log_ridge: Tensor<1>,
    state: Option<Tensor<3>>,
) -> (Tensor<3>, Tensor<3>) {
    match fused::is_cpu(&qkv.device()) {
        true => cpu::follow(qkv, gamma, log_ridge, state),
        false => gpu::follow(qkv, gamma, log_ridge, state),
    }
}
