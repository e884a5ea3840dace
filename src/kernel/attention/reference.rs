//! Attention in plain tensor operations.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::mask::Mask;
use crate::kernel::dropout::Dropout;

/// [`attend`](super::attend()) in plain tensor operations.
pub fn reference(qkv: Tensor<3>, n_heads: usize, mask: &Mask, dropout: Dropout) -> Tensor<3> {
    let [batch, seq, width] = qkv.dims();
    let d_model = width / 3;
    let d_head = d_model / n_heads;
    let [q, k, v] = [0, 1, 2].map(|part| {
        let part = qkv.clone().narrow(2, part * d_model, d_model);
        part.reshape([batch, seq, n_heads, d_head]).swap_dims(1, 2) // [batch, head, seq, d_head]
    });
    let scores = q.div_scalar((d_head as f64).sqrt()).matmul(k.swap_dims(2, 3)); // [batch, head, query, key]
    let scores = scores + mask.added(seq, &qkv.device());
    let pattern = dropout.apply(softmax(scores, 3));
    pattern.matmul(v).swap_dims(1, 2).reshape([batch, seq, d_model])
}
