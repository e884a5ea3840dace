//! Model inputs: [`Batch`]es of tokens or vectors, and optional [`noise`] on tokens.

mod batch;
pub mod noise;
mod tensors;

pub use batch::{Batch, BatchTokens, Row};
pub use tensors::{Inputs, Targets};
