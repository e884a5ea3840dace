//! Model inputs: [`Batch`]es of tokens or vectors, and optional [`noise`] on tokens.

mod batch;
mod few;
pub mod noise;
mod tensors;

pub use batch::{Batch, BatchTokens, Row};
pub use few::FewPredictions;
pub use tensors::{Inputs, Targets};
