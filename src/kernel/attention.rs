//! Causal attention of every head, from queries, keys and values.

mod attend;
mod cpu;
mod decode;
mod gpu;
mod mask;
mod pattern;
mod reference;

pub use attend::attend;
pub use decode::KeyValues;
pub use mask::Mask;
pub use pattern::pattern;
pub use reference::reference;
