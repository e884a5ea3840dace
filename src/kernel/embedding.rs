//! Tokens and their places as vectors.

mod gpu;

use burn::tensor::module::embedding;
use burn::tensor::{Int, Tensor};

use super::fused;
use super::param::Param;

/// `W_E[token] + W_pos[place]`, the places counted from `start`; without `W_pos`, the first alone.
///
/// # Shapes
/// `tokens`: `[batch, seq]`; `w_e`: `[vocab, d_model]`; `w_pos`: `[context, d_model]`; the result:
/// `[batch, seq, d_model]`
pub fn embed(
    tokens: Tensor<2, Int>,
    w_e: &Param<2>,
    w_pos: Option<&Param<2>>,
    start: usize,
) -> Tensor<3> {
    let Param::Slice(of_tokens) = w_e else {
        return reference(tokens, w_e.tensor(), w_pos.map(Param::tensor), start);
    };
    let leaf = of_tokens.parameters.leaf().clone();
    let pos_start = match w_pos {
        Some(Param::Slice(w_pos)) => Some(w_pos.start + start * w_pos.shape[1]),
        _ => None,
    };
    fused::apply(gpu::Embed::new(tokens, of_tokens.clone(), pos_start), [leaf.into_dispatch()])
}

/// [`embed`] in plain tensor operations.
pub fn reference(
    tokens: Tensor<2, Int>,
    w_e: Tensor<2>,
    w_pos: Option<Tensor<2>>,
    start: usize,
) -> Tensor<3> {
    let [_, seq] = tokens.dims();
    let embedded = embedding(w_e, tokens);
    match w_pos {
        Some(w_pos) => embedded + w_pos.narrow(0, start, seq).unsqueeze::<3>(), // [1, seq, d_model]
        None => embedded,
    }
}
