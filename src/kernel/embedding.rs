//! Tokens and their places as vectors.

mod gpu;

use burn::tensor::module::embedding;
use burn::tensor::{Int, Tensor};

use super::fused;
use super::param::Param;

/// `W_E[token] + W_pos[place]`, the places counted from `start`.
///
/// # Shapes
/// `tokens`: `[batch, seq]`; `w_e`: `[vocab, d_model]`; `w_pos`: `[context, d_model]`; the result:
/// `[batch, seq, d_model]`
pub fn embed(tokens: Tensor<2, Int>, w_e: &Param<2>, w_pos: &Param<2>, start: usize) -> Tensor<3> {
    match (w_e, w_pos) {
        (Param::Part(w_e), Param::Part(w_pos)) => {
            let leaf = w_e.memory.leaf().clone();
            let embed = gpu::Embed::new(tokens, w_e.clone(), w_pos.clone(), start);
            fused::apply(embed, [leaf.into_dispatch()])
        }
        _ => reference(tokens, w_e.tensor(), w_pos.tensor(), start),
    }
}

/// [`embed`] in plain tensor operations.
pub fn reference(
    tokens: Tensor<2, Int>,
    w_e: Tensor<2>,
    w_pos: Tensor<2>,
    start: usize,
) -> Tensor<3> {
    let [_, seq] = tokens.dims();
    let positions = w_pos.narrow(0, start, seq).unsqueeze::<3>(); // [1, seq, d_model]
    embedding(w_e, tokens) + positions
}
