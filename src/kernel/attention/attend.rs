//! Attention by the operation of the device: loops on the CPU, kernels on a GPU.

use burn::tensor::Tensor;

use super::mask::Mask;
use super::{cpu, gpu};
use crate::kernel::dropout::Dropout;
use crate::kernel::fused;

/// `softmax(q kᵀ / sqrt(d_head)) v` of every head, with `dropout` of the pattern.
///
/// # Shapes
/// `qkv`: `[batch, seq, 3 * d_model]`, queries, keys and values side by side; the result:
/// `[batch, seq, d_model]`
pub fn attend(qkv: Tensor<3>, n_heads: usize, mask: &Mask, dropout: Dropout) -> Tensor<3> {
    let is_cpu = fused::is_cpu(&qkv.device());
    let qkv = [qkv.into_dispatch()];
    match is_cpu {
        true => fused::apply(cpu::Attend { n_heads, hidden: mask.on_host(), dropout }, qkv),
        false => fused::apply(gpu::Attend::new(n_heads, mask.on_gpu(), dropout), qkv),
    }
}
