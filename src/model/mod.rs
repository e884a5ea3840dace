//! The model on Burn, leaf to root: [`norm`], [`rotary`], the mixers ([`attention`], which may memorize), the
//! feed-forward layers ([`mlp`], [`memory`], [`product_key`]), [`block`], [`gpt`]. Its parameters live in one flat
//! vector, from which [`Weights`] cuts tensors; a [`Model`] holds all of one.

pub mod attention;
pub mod block;
mod conv;
mod delta;
pub mod gpt;
mod heads;
mod init;
mod least_squares;
mod linear_attention;
mod memorizing;
pub mod memory;
mod mixer;
pub mod mlp;
mod neighbours;
pub mod norm;
mod on_device;
pub mod product_key;
pub mod rotary;
mod weights;

pub use gpt::{Gpt, Output, PassOptions};
pub use init::untrained;
pub use mixer::{Mixer, MixerState};
pub use on_device::Model;
pub use weights::Weights;
