//! Causal attention of every head, from queries, keys and values.

mod attend;
mod cpu;
mod decode;
mod gpu;
mod mask;
mod reference;

pub use attend::attend;
pub use decode::KeyValues;
pub use mask::Mask;
pub use reference::reference;
