//! WebGPU and the CPU in a worker.

use std::cell::RefCell;
use std::time::Duration;

use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{Device, ExecutionError};
use futures::future::{Either, select};

use super::candidate::{Candidate, MAX_TASKS, describe};
use super::{OpenDevice, late, navigator};
use crate::config::MemoryLimits;
use crate::run::DeviceChoice;

pub use super::late::attend;

pub const CPU_NAME: &str = "CPU (in the browser)";
/// The device that `auto` tries first.
pub const AUTO: DeviceChoice = DeviceChoice::Webgpu;

/// Lets the browser deliver messages.
pub async fn yield_now() {
    gloo_timers::future::TimeoutFuture::new(0).await;
}

/// Waits for a while.
pub async fn rest(time: Duration) {
    gloo_timers::future::sleep(time).await;
}

/// A WASM program addresses 4 GiB; some of it is its own.
pub fn cpu_limits() -> MemoryLimits {
    MemoryLimits { total: 3 << 30, buffer: 1 << 30 }
}

/// The page has no product so general.
///
/// # Errors
/// None.
pub async fn matmul_peak(_: &OpenDevice) -> Result<Option<f64>, ExecutionError> {
    Ok(None)
}

/// A browser does not tell.
pub fn memory_held(_: &Device) -> Option<u64> {
    None
}

thread_local! {
    /// The GPU, once it has been opened: Burn does not open it again.
    static OPENED: RefCell<Option<Candidate>> = const { RefCell::new(None) };
}

pub async fn find_gpu(choice: DeviceChoice) -> Result<Candidate, String> {
    if choice != DeviceChoice::Webgpu {
        return Err("a browser offers no such device".into());
    }
    let gpu = navigator::get("gpu");
    if gpu.is_undefined() || gpu.is_null() {
        return Err("this browser offers no WebGPU".into());
    }
    if let Some(opened) = OPENED.with_borrow(Clone::clone) {
        return Ok(opened);
    }
    let (device, setup) = Device::wgpu_options()
        .graphics_api(WgpuBackend::WebGpu)
        .tasks_max(MAX_TASKS)
        .init_with_setup_async()
        .await
        .map_err(|e| format!("no WebGPU adapter was had ({e})"))?;
    late::look_after(&setup.queue);
    // Browsers do not tell how much memory a GPU has; a page is seldom granted more than this.
    let candidate = describe(device, &setup, "WebGPU", 8 << 30);
    OPENED.set(Some(candidate.clone()));
    Ok(candidate)
}

/// # Errors
/// The sentence of `check`, or one that the device gave no answer.
pub async fn within_a_minute(
    check: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    let minute = gloo_timers::future::TimeoutFuture::new(60_000);
    match select(Box::pin(check), minute).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err("it gave no answer to a tiny training step in a minute".into()),
    }
}
