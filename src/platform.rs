//! Where native and browser differ: devices, yielding, and where runs are kept.

use burn::tensor::Device;

use crate::config::MemoryLimits;
use crate::protocol::{DeviceChoice, DeviceReport};
use crate::selfcheck;

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
use native as target;
#[cfg(target_family = "wasm")]
use wasm as target;

#[cfg(not(target_family = "wasm"))]
pub use native::{keep_freed_memory, replace_file};
pub use target::{HAS_MATRIX_UNITS, Store, for_each, memory_held, yield_now};

/// A device that has shown itself to compute rightly.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    pub device: Device,
    pub report: DeviceReport,
    pub limits: MemoryLimits,
    asked: DeviceChoice,
}

impl OpenDevice {
    /// Whether this is what `choice` would open.
    pub fn serves(&self, choice: DeviceChoice) -> bool {
        self.asked == choice || self.report.kind == name(choice)
    }

    fn cpu(asked: DeviceChoice) -> Self {
        Self {
            device: Device::flex(),
            report: DeviceReport { kind: "cpu".into(), name: target::CPU_NAME.into() },
            limits: target::cpu_limits(),
            asked,
        }
    }
}

fn name(choice: DeviceChoice) -> &'static str {
    DeviceChoice::NAMES[choice as usize]
}

/// Operations that are given to a GPU at once: a step of four layers, and short enough for the
/// watchdogs that end what keeps a screen waiting.
const MOST_TASKS: usize = 128;

/// A GPU before it has been checked.
#[derive(Clone)]
struct Candidate {
    device: Device,
    name: String,
    /// A software driver: slower than the CPU itself.
    software: bool,
    limits: MemoryLimits,
}

/// Opens the device for `choice`, and says what the user should know of how it was chosen.
/// `Auto` never fails: it takes the CPU where no sound GPU is found.
///
/// # Errors
/// A sentence on why the device that was asked for by name cannot be used.
pub async fn open(choice: DeviceChoice) -> Result<(OpenDevice, Option<String>), String> {
    let gpu = match choice {
        DeviceChoice::Cpu => return Ok((OpenDevice::cpu(choice), None)),
        DeviceChoice::Auto => target::AUTO,
        named => named,
    };
    match open_gpu(gpu, choice).await {
        Ok(device) => Ok((device, None)),
        Err(reason) if choice == DeviceChoice::Auto => {
            Ok((OpenDevice::cpu(choice), Some(format!("Training on the CPU: {reason}."))))
        }
        Err(reason) => Err(format!(
            "The device `{}` cannot be used: {reason}. Choose `cpu` or `auto`.",
            name(choice)
        )),
    }
}

async fn open_gpu(gpu: DeviceChoice, asked: DeviceChoice) -> Result<OpenDevice, String> {
    let candidate = target::find_gpu(gpu).await?;
    if candidate.software && asked == DeviceChoice::Auto {
        return Err(format!("the only GPU found is a software one ({})", candidate.name));
    }
    target::within_a_minute(selfcheck::check(&candidate.device))
        .await
        .map_err(|how| format!("{} is not used because {how}", candidate.name))?;
    Ok(OpenDevice {
        device: candidate.device,
        report: DeviceReport { kind: name(gpu).into(), name: candidate.name },
        limits: candidate.limits,
        asked,
    })
}

/// What an adapter is called, what it holds, and whether it is software.
fn describe(
    device: Device,
    setup: &burn::tensor::wgpu::WgpuSetup,
    api: &str,
    total: u64,
) -> Candidate {
    let info = setup.adapter.get_info();
    let software = matches!(info.device_type, burn::tensor::wgpu::wgpu::DeviceType::Cpu)
        || ["swiftshader", "llvmpipe", "softpipe", "basic render"]
            .iter()
            .any(|driver| info.name.to_lowercase().contains(driver));
    let limits = setup.device.limits();
    let buffer = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
    let name = if info.name.is_empty() { api.into() } else { format!("{api}: {}", info.name) };
    Candidate { device, name, software, limits: MemoryLimits { total, buffer } }
}
