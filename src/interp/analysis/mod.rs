//! Analyses of weights and forward passes. From weights: [`circuits`], [`composition`],
//! [`vocabulary`]; from a recorded forward pass: [`heads`], [`attention`], [`lens`],
//! [`attribution`], [`expansion`], [`output`]; from changed ones: [`patching`]. All read weights
//! through a [`View`] and return plain numbers, whose types are in [`report`](crate::report), in the
//! half without Burn.

pub mod attention;
pub mod attribution;
mod by_type;
pub mod circuits;
pub mod composition;
mod error;
pub mod expansion;
pub mod heads;
pub mod lens;
mod linear;
pub mod output;
pub mod patching;
mod tokens;
mod view;
pub mod vocabulary;

pub use by_type::Averaging;
pub use error::{AnalysisError, MAX_CELLS, MAX_D_HEAD, MAX_RECORDED, fits_square};
pub use linear::{FactoredMatrix, Matrix, SingularValues, eigenvalues};
pub use view::{Head, View};
