//! Vulkan, WebGPU through wgpu, CUDA and the CPU.

use std::time::Duration;

use burn::tensor::Device;
use burn::tensor::wgpu::WgpuBackend;
use burn_cubecl::cubecl::MemoryScope;

use super::candidate::{Candidate, MAX_TASKS, describe};
use crate::config::MemoryLimits;
use crate::kernel::gpu::client;
use crate::kernel::is_cpu;
use crate::run::DeviceChoice;

pub const CPU_NAME: &str = "CPU";
/// The device that `auto` tries first.
pub const AUTO: DeviceChoice = DeviceChoice::Webgpu;

/// Nothing else runs on a session's thread.
pub async fn yield_now() {}

/// Waits for a while.
pub async fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// Keeps Mesa's layer that selects a device from asking a desktop which one it is on, where there is no desktop: it
/// would print errors. To be called before other threads run.
pub fn quiet_drivers() {
    let has_desktop =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    if cfg!(target_os = "linux") && !has_desktop {
        // SAFETY: no other thread runs yet that could read the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// Keeps memory that was freed for the next tensor. The C library of Linux gives large pieces
/// back at once, and every step then waits for the same pages to be mapped anew: a third of its
/// time.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it sets numbers, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// The CPU's memory, as far as the system tells.
pub fn cpu_limits() -> MemoryLimits {
    let told = std::fs::read_to_string("/proc/meminfo").ok();
    let total = told.and_then(|text| kib(&text, "MemAvailable:"));
    MemoryLimits { total: total.unwrap_or(u64::MAX), buffer: u64::MAX }
}

/// Bytes that what was computed so far holds: of a GPU's memory, or for the CPU of the program's.
pub fn memory_held(device: &Device) -> Option<u64> {
    if !is_cpu(device) {
        return Some(client(device).memory_report(MemoryScope::Device).usage().bytes_reserved);
    }
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    kib(&text, "VmRSS:")
}

/// The system's figure for `name`, in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

pub async fn find_gpu(choice: DeviceChoice) -> Result<Candidate, String> {
    let (api, label) = match choice {
        DeviceChoice::Vulkan => (WgpuBackend::Vulkan, "Vulkan"),
        // wgpu's own pick among Vulkan, Metal and DirectX 12.
        DeviceChoice::Webgpu => (WgpuBackend::Auto, "WebGPU"),
        DeviceChoice::Cuda => return cuda(),
        DeviceChoice::Auto | DeviceChoice::Cpu => return Err("it is no GPU".into()),
    };
    let (device, setup) = Device::wgpu_options()
        .graphics_api(api)
        .tasks_max(MAX_TASKS)
        .init_with_setup_async()
        .await
        .map_err(|e| format!("no GPU was found ({})", first_line(&e.to_string())))?;
    // How much memory a GPU has is not told by its driver.
    Ok(describe(device, &setup, label, u64::MAX))
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Candidate, String> {
    let limits = MemoryLimits { total: u64::MAX, buffer: u64::MAX };
    Ok(Candidate { device: Device::cuda(0), name: "CUDA".into(), software: false, limits })
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Candidate, String> {
    Err("this binary was built without it; build with `cargo build --release --features cuda`"
        .into())
}

/// Natively a device that hangs is ended by Ctrl-C.
pub async fn within_a_minute(
    check: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    check.await
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
