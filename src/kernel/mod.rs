//! Fused operations, for which plain tensor operations are too slow, each beside its reference in those.
//!
//! Every operation has one function that chooses: on the CPU loops, or the reference where that is as
//! fast; kernels on a GPU. Tests hold the three together.

pub mod adamw;
pub mod attention;
pub mod conv;
pub mod cross_entropy;
pub mod delta;
pub mod dropout;
pub mod embedding;
pub mod empty;
pub(crate) mod fused;
pub mod gelu;
pub mod gpu;
pub mod layer_norm;
pub mod least_squares;
pub mod linear;
pub mod linear_attention;
pub mod param;
pub mod product_keys;
pub mod recall;
pub mod rows;
mod top;
pub mod transfer;

pub use fused::is_cpu;
