//! Attention in plain tensor operations.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::mask::{HIDDEN, Mask};
use crate::kernel::dropout::Dropout;

/// [`attend`](super::attend()) in plain tensor operations.
pub fn reference(
    qkv: Tensor<3>,
    n_heads: usize,
    window: Option<usize>,
    mask: &Mask,
    dropout: Dropout,
) -> Tensor<3> {
    let [batch, seq, width] = qkv.dims();
    let d_model = width / 3;
    let d_head = d_model / n_heads;
    let [q, k, v] = [0, 1, 2].map(|part| {
        let part = qkv.clone().narrow(2, part * d_model, d_model);
        part.reshape([batch, seq, n_heads, d_head]).swap_dims(1, 2) // [batch, head, seq, d_head]
    });
    let scores = q.div_scalar((d_head as f64).sqrt()).matmul(k.swap_dims(2, 3)); // [batch, head, query, key]
    let added = mask.added(seq, window.unwrap_or(seq), &qkv.device());
    let sees = added.clone().max_dim(3).greater_elem(HIDDEN / 2.0).float(); // [batch or 1, 1, query, 1]
    let pattern = dropout.apply(softmax(scores + added, 3) * sees);
    pattern.matmul(v).swap_dims(1, 2).reshape([batch, seq, d_model])
}
