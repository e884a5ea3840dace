//! Vulkan, WebGPU through wgpu, CUDA and the CPU.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[cfg(feature = "cuda")]
use burn::tensor::DeviceType;
use burn::tensor::wgpu::{WgpuBackend, wgpu};
use burn::tensor::{Device, DeviceKind};
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

/// The result of `work`: nobody has to make a driver tell what the GPU has finished.
pub async fn attend<T>(work: impl Future<Output = T>) -> T {
    work.await
}

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

/// A GPU as it was asked for: its choice, and its number.
type Asked = (DeviceChoice, Option<usize>);

/// GPUs that have been opened: Burn does not open one again.
static OPENED: Mutex<Vec<(Asked, Candidate)>> = Mutex::new(Vec::new());

pub async fn find_gpu(choice: DeviceChoice) -> Result<Candidate, String> {
    find_gpu_number(choice, None).await
}

/// The GPU with this number among those of its kind, or the one that `choice` means by itself.
pub async fn find_gpu_number(
    choice: DeviceChoice,
    number: Option<usize>,
) -> Result<Candidate, String> {
    let opened = || OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let held = opened().iter().find(|(of, _)| *of == (choice, number)).map(|(_, held)| held.clone());
    if let Some(held) = held {
        return Ok(held);
    }
    let candidate = match choice {
        DeviceChoice::Vulkan => by_wgpu(WgpuBackend::Vulkan, "Vulkan", number).await,
        // wgpu's own pick among Vulkan, Metal and DirectX 12.
        DeviceChoice::Webgpu => by_wgpu(WgpuBackend::Auto, "WebGPU", number).await,
        DeviceChoice::Cuda => cuda(number),
        DeviceChoice::Auto | DeviceChoice::Cpu => Err("it is no GPU".into()),
    }?;
    opened().push(((choice, number), candidate.clone()));
    Ok(candidate)
}

async fn by_wgpu(
    api: WgpuBackend,
    label: &str,
    number: Option<usize>,
) -> Result<Candidate, String> {
    let options = Device::wgpu_options().graphics_api(api).tasks_max(MAX_TASKS);
    let options = match number {
        Some(number) => options.device_kind(adapter(api, number).await?),
        None => options,
    };
    let (device, setup) = options
        .init_with_setup_async()
        .await
        .map_err(|e| format!("no GPU was found ({})", first_line(&e.to_string())))?;
    // How much memory a GPU has is not told by its driver.
    Ok(describe(device, &setup, label, u64::MAX))
}

/// The adapter with this number: cards of their own first, then those within a processor, virtual ones, and software.
async fn adapter(api: WgpuBackend, number: usize) -> Result<DeviceKind, String> {
    type Numbered = fn(usize) -> DeviceKind;
    let kinds: [(wgpu::DeviceType, Numbered); 4] = [
        (wgpu::DeviceType::DiscreteGpu, DeviceKind::DiscreteGpu),
        (wgpu::DeviceType::IntegratedGpu, DeviceKind::IntegratedGpu),
        (wgpu::DeviceType::VirtualGpu, DeviceKind::VirtualGpu),
        (wgpu::DeviceType::Cpu, |_| DeviceKind::Cpu),
    ];
    // Burn's own pick.
    let backends = match api {
        WgpuBackend::Auto if cfg!(target_os = "macos") => wgpu::Backends::METAL,
        _ => wgpu::Backends::VULKAN,
    };
    let descriptor = wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    let found = wgpu::Instance::new(descriptor).enumerate_adapters(backends).await;
    let infos: Vec<_> = found.iter().map(wgpu::Adapter::get_info).collect();
    let of_kind = |(kind, numbered): &(wgpu::DeviceType, Numbered)| {
        let (kind, numbered) = (*kind, *numbered);
        let same = infos.iter().filter(move |info| info.device_type == kind);
        same.enumerate().map(move |(at, info)| (numbered(at), info.name.clone())).collect::<Vec<_>>()
    };
    let all: Vec<_> = kinds.iter().flat_map(of_kind).collect();
    let names = all.iter().enumerate().map(|(at, (_, name))| format!("{at} is {name}"));
    let names = names.collect::<Vec<_>>().join(", ");
    let there = if names.is_empty() { "there is none".into() } else { names };
    let found = all.into_iter().nth(number).map(|(kind, _)| kind);
    found.ok_or_else(|| format!("there is no GPU of number {number}: {there}"))
}

#[cfg(feature = "cuda")]
fn cuda(number: Option<usize>) -> Result<Candidate, String> {
    let limits = MemoryLimits { total: u64::MAX, buffer: u64::MAX };
    let (number, count) = (number.unwrap_or(0), Device::enumerate(DeviceType::Cuda).into_vec().len());
    match number < count {
        true => Ok(Candidate { device: Device::cuda(number), name: "CUDA".into(), software: false, limits }),
        false => Err(format!("there is no GPU of number {number}: CUDA has {count}, counted from 0")),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: Option<usize>) -> Result<Candidate, String> {
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
