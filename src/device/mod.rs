//! Devices: the CPU, WebGPU, Vulkan and CUDA, each used only after it has shown to compute rightly.

mod candidate;
mod check;
#[cfg(target_family = "wasm")]
mod late;
#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod navigator;
mod open;
mod open_device;
#[cfg(not(target_family = "wasm"))]
mod peak;
#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
use native as target;
#[cfg(target_family = "wasm")]
use wasm as target;

#[cfg(not(target_family = "wasm"))]
pub use native::{keep_freed_memory, quiet_drivers};
pub use open::{choose, open};
#[cfg(feature = "cli")]
pub use open::open_number;
pub use open_device::OpenDevice;
#[cfg(not(target_family = "wasm"))]
pub use peak::matmul_peak;
pub use target::{attend, cpu_limits, memory_held, rest, yield_now};
#[cfg(target_family = "wasm")]
pub use wasm::matmul_peak;
