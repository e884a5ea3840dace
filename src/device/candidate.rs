//! A GPU before it has been checked.

use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuSetup, wgpu};

use crate::config::MemoryLimits;

/// Operations that are given to a GPU at once: a step of four layers, and short enough for the
/// watchdogs that end what keeps a screen waiting.
pub const MAX_TASKS: usize = 128;

/// A GPU before it has been checked.
#[derive(Clone)]
pub struct Candidate {
    pub device: Device,
    pub name: String,
    /// A software driver: slower than the CPU itself.
    pub software: bool,
    pub limits: MemoryLimits,
}

/// Candidate of an adapter: its name, its limits, and whether it is software.
pub fn describe(device: Device, setup: &WgpuSetup, api: &str, total: u64) -> Candidate {
    let info = setup.adapter.get_info();
    let software = matches!(info.device_type, wgpu::DeviceType::Cpu)
        || ["swiftshader", "llvmpipe", "softpipe", "basic render"]
            .iter()
            .any(|driver| info.name.to_lowercase().contains(driver));
    let limits = setup.device.limits();
    let buffer = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
    let name = if info.name.is_empty() { api.into() } else { format!("{api}: {}", info.name) };
    Candidate { device, name, software, limits: MemoryLimits { total, buffer } }
}
