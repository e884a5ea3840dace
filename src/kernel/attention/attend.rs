//! Attention by the operation of the device: loops on the CPU, kernels on a GPU.

use burn::tensor::Tensor;

use super::mask::Mask;
use super::{cpu, gpu};
use crate::kernel::dropout::Dropout;
use crate::kernel::fused;

/// `softmax(q kᵀ / sqrt(d_head)) v` of every head, with `dropout` of the pattern. With a `window`, a query sees itself and
/// the `window - 1` tokens before it; if all of these are hidden, its output is 0.
///
/// # Shapes
/// `qkv`: `[batch, seq, 3 * d_model]`, queries, keys and values side by side; the result:
/// `[batch, seq, d_model]`
pub fn attend(
    qkv: Tensor<3>,
    n_heads: usize,
    window: Option<usize>,
    mask: &Mask,
    dropout: Dropout,
) -> Tensor<3> {
    let [_, seq, _] = qkv.dims();
    let window = window.map_or(seq, |window| window.min(seq));
    let is_cpu = fused::is_cpu(&qkv.device());
    let qkv = [qkv.into_dispatch()];
    match is_cpu {
        true => fused::apply(cpu::Attend { n_heads, window, hidden: mask.on_host(), dropout }, qkv),
        false => fused::apply(gpu::Attend::new(n_heads, window, mask.on_gpu(), dropout), qkv),
    }
}
