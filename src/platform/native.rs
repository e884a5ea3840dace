//! Vulkan, WebGPU through wgpu, CUDA and the CPU; runs are kept in a file.

use std::io::Write;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use burn::tensor::wgpu::WgpuBackend;
use burn_cubecl::cubecl::MemoryScope;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

pub use super::peak::matmul_peak;

use super::Candidate;
use crate::checkpoint::Checkpoint;
use crate::config::MemoryLimits;
use crate::kernel::gpu::client;
use crate::kernel::is_cpu;
use crate::protocol::DeviceChoice;

pub const CPU_NAME: &str = "CPU";
/// What `auto` tries first.
pub const AUTO: DeviceChoice = DeviceChoice::Webgpu;

/// Nothing else runs on a session's thread.
pub async fn yield_now() {}

/// Calls `work` with the place of every item and the item, on all cores.
pub fn for_each<T: Send>(items: Vec<T>, work: impl Fn(usize, T) + Send + Sync) {
    if items.len() < 2 {
        // Waking another thread costs more than it could save.
        return items.into_iter().for_each(|item| work(0, item));
    }
    items.into_par_iter().enumerate().for_each(|(place, item)| work(place, item));
}

/// Has memory that was freed kept for the next tensor. The C library of Linux gives large pieces
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

/// What the system tells of `name`, in bytes.
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
        .tasks_max(super::MOST_TASKS)
        .init_with_setup_async()
        .await
        .map_err(|e| format!("no GPU was found ({})", first_line(&e.to_string())))?;
    // How much memory a GPU has is not told by its driver.
    Ok(super::describe(device, &setup, label, u64::MAX))
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

/// A file that holds the run as it was last saved, and a folder for some of its steps.
#[derive(Clone, Debug, Default)]
pub struct Store {
    file: Option<PathBuf>,
    steps: Option<PathBuf>,
}

impl Store {
    /// Keeps the run in `file`.
    pub fn file(file: PathBuf) -> Self {
        Self { file: Some(file), steps: None }
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Also keeps steps, in `folder` if it is given.
    pub fn with_steps(self, folder: Option<PathBuf>) -> Self {
        Self { steps: folder, ..self }
    }

    pub fn keeps_steps(&self) -> bool {
        self.steps.is_some()
    }

    /// Writes `step{N}.safetensors`.
    ///
    /// # Errors
    /// A sentence naming the file.
    pub fn keep_step(&self, step: &Checkpoint) -> Result<(), String> {
        let Some(folder) = &self.steps else { return Ok(()) };
        let file = folder.join(format!("step{}.safetensors", step.step));
        let bytes = step.to_bytes().map_err(|e| format!("writing {}: {e}", file.display()))?;
        replace_file(&file, &bytes).map_err(|e| format!("writing {}: {e}", file.display()))
    }

    /// A terminal resumes what it is told to, never what it finds.
    pub async fn latest(&self) -> Option<Vec<u8>> {
        None
    }

    /// Writes the run; `false` if there is nowhere to.
    ///
    /// # Errors
    /// A sentence naming the file.
    pub async fn save(&self, _: &Checkpoint, bytes: &[u8]) -> Result<bool, String> {
        let Some(file) = &self.file else { return Ok(false) };
        replace_file(file, bytes).map_err(|e| format!("writing {}: {e}", file.display()))?;
        Ok(true)
    }
}

/// Writes `bytes` beside `file` and renames, so that an interrupted save leaves the old file whole.
pub fn replace_file(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)] // as any new file, where a temporary one is its owner's alone
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|e| e.error)?;
    Ok(())
}
