//! Records as model inputs: [`Batch`]es of tokens, and optional [`noise`] on them.

mod batch;
pub mod noise;

pub use batch::{Batch, Row};
