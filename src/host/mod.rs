//! The model in plain numbers and loops, for the CPU. It decodes one token at a time, and records all activations
//! of a forward pass in an [`ActivationCache`], with or without interventions. Names and shapes are those of
//! [`model`](crate::model), for one row.

mod attention;
mod block;
mod cache;
mod conv;
mod delta;
mod heads;
mod intervene;
mod least_squares;
mod linear;
mod linear_attention;
mod memorizing;
mod memory;
mod mixed;
mod mixer;
mod mlp;
mod model;
mod neighbours;
mod norm;
mod vector;
mod weights;

pub use cache::{ActivationCache, LayerActivations};
pub use linear::Parameters;
pub use memory::Recalled;
#[cfg(feature = "cli")]
pub use model::NotFinite;
pub use model::{Cache, HostModel};
pub use norm::Norm;
pub use weights::{ParameterSource, Values, Weights};
