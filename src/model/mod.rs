//! nanoGPT's GPT, leaf to root: [`norm`], [`rotary`], [`attention`], which may memorize, [`mlp`] or what stands
//! in its place ([`memory`], [`product_key`]), [`block`], [`gpt`]. Parameters live in one flat vector, of which
//! [`weights`] cuts the tensors; what memories search are [`slots`].

pub mod attention;
pub mod block;
pub mod gpt;
mod memorizing;
pub mod memory;
pub mod mlp;
mod neighbours;
pub mod norm;
pub mod product_key;
pub mod rotary;
pub mod slots;
pub mod weights;

pub use gpt::Gpt;
pub use weights::{Layout, Weights};
