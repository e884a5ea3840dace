//! Dispatches that do next to nothing: the least that work of many dispatches can take on a GPU.

use burn::backend::Cube;
use burn::tensor::{Device, ExecutionError, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::fused::primitive;
use super::gpu::arg;

/// Gives `device`, a GPU, `count` dispatches, each of which waits for the one before, and reads how many were done.
///
/// # Errors
/// If the device failed.
pub async fn dispatch(device: &Device, count: usize) -> Result<f32, ExecutionError> {
    let done = primitive::<Cube>(Tensor::<1>::zeros([1], device).into_dispatch());
    for _ in 0..count {
        add_one::launch(&done.client, CubeCount::new_single(), CubeDim::new_1d(1), arg(&done));
    }
    Tensor::<1>::from_primitive::<Cube>(done).into_scalar_async().await
}

#[cube(launch)]
fn add_one(done: &mut [f32]) {
    if ABSOLUTE_POS == 0 {
        done[0] += 1.0;
    }
}
