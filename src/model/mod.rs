//! nanoGPT's GPT, leaf to root: [`norm`], [`attention`], [`mlp`], [`block`], [`gpt`]. Parameters
//! live in one flat vector, of which [`weights`] cuts the tensors.

pub mod attention;
pub mod block;
pub mod gpt;
pub mod mlp;
pub mod norm;
pub mod weights;

pub use gpt::Gpt;
pub use weights::{Layout, Weights};

use burn::tensor::{Distribution, Tensor};

/// Sets a share `p` of `x` to zero and scales the rest by `1 / (1 - p)`.
pub(crate) fn dropout<const D: usize>(x: Tensor<D>, p: f64) -> Tensor<D> {
    if p == 0.0 {
        return x;
    }
    let kept = x.random_like(Distribution::Bernoulli(1.0 - p));
    x * kept.div_scalar(1.0 - p)
}
