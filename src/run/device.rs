//! The device of a session.

use serde::{Deserialize, Serialize};

/// Choice of the device for a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A real GPU if there is one, else the CPU.
    #[default]
    Auto,
    Cpu,
    Webgpu,
    Vulkan,
    Cuda,
}

impl_names! {
    DeviceChoice:
    Auto = "auto",
    Cpu = "cpu",
    Webgpu = "webgpu",
    Vulkan = "vulkan",
    Cuda = "cuda",
}

impl DeviceChoice {
    /// Choices in a browser.
    pub const BROWSER: &'static [&'static str] = &["auto", "cpu", "webgpu"];
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// `cpu`, `webgpu`, `vulkan` or `cuda`.
    pub kind: String,
    /// Shown to the user: `CPU`, `WebGPU: NVIDIA …`.
    pub name: String,
}
