//! Linear layers on a GPU: one kernel forward, and one backward; large ones in half precision where
//! the GPU has matrix units for it.

mod apply;
#[cfg_attr(target_family = "wasm", path = "gpu/half/none.rs")]
pub mod half;
mod kernels;
#[cfg_attr(target_family = "wasm", path = "gpu/mixed/none.rs")]
mod mixed;
mod product;
mod slim;
mod then;
mod tile;
mod weights;

pub use product::Product;
pub use then::Then;
