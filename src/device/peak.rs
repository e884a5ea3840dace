//! Peak rate at which a device multiplies matrices.

use burn::tensor::{DType, ExecutionError, Tensor, TensorData};
use web_time::Instant;

use super::OpenDevice;
use crate::kernel::gpu::client;
use crate::kernel::is_cpu;
use crate::kernel::linear::gpu::half::Half;

/// Rows and columns: the first are doubled until a product takes [`LONG`], or there are the most.
const FIRST: usize = 512;
const MAX: usize = 8192;
/// Seconds in which starting a product does not count.
const LONG: f64 = 0.02;
const TIMES: usize = 5;

/// Floating-point operations a second of a product of large square matrices, in whatever numbers
/// the device multiplies fastest.
///
/// # Errors
/// If the device failed.
pub async fn matmul_peak(opened: &OpenDevice) -> Result<Option<f64>, ExecutionError> {
    let half = if is_cpu(&opened.device) { None } else { Half::of(&client(&opened.device)) };
    let mut peak = 0.0f64;
    for dtype in [Some(DType::F32), half.map(Half::dtype)].into_iter().flatten() {
        peak = peak.max(rate(opened, dtype).await?);
    }
    Ok(Some(peak))
}

async fn rate(
    OpenDevice { device, limits, .. }: &OpenDevice,
    dtype: DType,
) -> Result<f64, ExecutionError> {
    let mut size = FIRST;
    loop {
        // Not zeros, with which some GPUs are faster for using less power.
        let values = (0..size * size).map(|at| (at * 7 % 31) as f32 / 31.0 - 0.5).collect();
        let matrix = Tensor::<2>::from_data(TensorData::new(values, [size, size]), device);
        let matrix = matrix.cast(dtype);
        let mut times = Vec::new();
        for _ in 0..=TIMES {
            let start = Instant::now();
            let product = matrix.clone().matmul(matrix.clone());
            // To read one number of it is to wait for it.
            product.slice([0..1, 0..1]).into_scalar_async::<f32>().await?;
            times.push(start.elapsed().as_secs_f64());
        }
        let mut times = times.split_off(1);
        times.sort_by(f64::total_cmp);
        let time = times[TIMES / 2];
        let next = 4 * (4 * size * size) as u64;
        if time > LONG || size == MAX || next > limits.buffer {
            return Ok(2.0 * (size as f64).powi(3) / time);
        }
        size *= 2;
    }
}
