//! Tools independent of models: loops over cores, matrices, random streams, names of enums, kinds of
//! files, colours, charts and JSON.

#[macro_use]
mod names;

pub mod color;
pub mod json;
pub mod plot;
pub mod text;

#[cfg(all(feature = "compute", not(target_family = "wasm")))]
pub mod file;
#[cfg(feature = "compute")]
pub mod file_kind;
#[cfg(feature = "compute")]
pub mod hash;
#[cfg(feature = "compute")]
pub mod lanes;
#[cfg(feature = "compute")]
pub mod matrix;
#[cfg(feature = "compute")]
pub mod numbers;
#[cfg(feature = "compute")]
pub mod parallel;
#[cfg(feature = "cli")]
pub mod quantized;
#[cfg(feature = "compute")]
pub mod random;
#[cfg(feature = "compute")]
pub mod softmax;
pub mod stored;
#[cfg(feature = "compute")]
pub mod wide;
