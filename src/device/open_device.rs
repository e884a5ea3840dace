//! A device that has been opened.

use burn::tensor::Device;

use crate::config::MemoryLimits;
use crate::run::{DeviceChoice, DeviceReport};

/// A device that has shown itself to compute rightly.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    pub device: Device,
    pub report: DeviceReport,
    pub limits: MemoryLimits,
    pub(super) asked: DeviceChoice,
}

impl OpenDevice {
    /// True if this is what `choice` would open.
    pub fn serves(&self, choice: DeviceChoice) -> bool {
        self.asked == choice || self.report.kind == name(choice)
    }
}

/// The name of a choice: `webgpu`.
pub(super) fn name(choice: DeviceChoice) -> &'static str {
    DeviceChoice::NAMES[choice as usize]
}
