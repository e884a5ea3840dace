//! The parts of a model, each declared once: its parameters ([`ParamSpec`]), counts and costs.
//!
//! Settings choose [`Mixer`], [`FeedForward`] and [`Norm`]. `model` (on Burn) and `host` (plain loops) execute
//! these parts and match on them without wildcards, so that the compiler lists the places to extend for a new
//! part. [`Layout`] puts all parameters into one flat vector.

mod cost;
mod feed_forward;
mod layout;
mod memory;
pub mod mixer;
mod norm;
mod positions;
mod spec;
mod validate;

pub use feed_forward::{Activation, FeedForward, GELU_CUBE, GELU_SLOPE, Mlp};
pub use layout::{Layout, Parameter, parameters};
pub use memory::{EPSILON, Memorizing, ProductKeys, SHARPNESS, StoredMemory};
pub use mixer::{GatedConv, LeastSquares, Mixer, SoftmaxAttention, head_gate};
pub use norm::Norm;
pub use positions::{Rotary, Side};
pub use spec::{Axes, Axis, Dim, Init, ParamSpec, PartKind, Role};
