//! nanoGPT's GPT, leaf to root: [`norm`], [`rotary`], [`attention`], [`mlp`], [`block`], [`gpt`]. Parameters
//! live in one flat vector, of which [`weights`] cuts the tensors.

pub mod attention;
pub mod block;
pub mod gpt;
pub mod mlp;
pub mod norm;
pub mod rotary;
pub mod weights;

pub use gpt::Gpt;
pub use weights::{Layout, Weights};
