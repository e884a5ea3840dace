//! What the plain tensor operations are too slow for, each beside its reference in them.
//!
//! Every operation has one function that chooses: the fused one where it runs, which is on the
//! CPU, and elsewhere the reference. Tests hold the two together.

pub mod attention;
pub mod cross_entropy;
mod fused;
pub mod gelu;
mod lanes;
pub mod layer_norm;
