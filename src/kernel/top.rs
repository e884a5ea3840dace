//! The largest of many, kept in order while a kernel looks at all.

use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::gpu::GpuTensor;

/// Whole numbers beside `like`, of any value.
pub fn empty(like: &GpuTensor, shape: [usize; 2]) -> GpuTensor {
    let client = like.client.clone();
    let handle = client.empty(shape.iter().product::<usize>() * size_of::<i32>());
    GpuTensor::new_contiguous(client, like.device.clone(), Shape::from(shape), handle, DType::I32)
}

/// Nothing found yet.
#[cube]
pub fn clear(best: &mut Array<f32>, at: &mut Array<i32>, #[comptime] k: usize) {
    for rank in 0..k {
        best[rank] = f32::MIN;
        at[rank] = 0;
    }
}

/// Puts `score`, found at `place`, among the largest so far; behind those that are equal.
#[cube]
pub fn keep(
    best: &mut Array<f32>,
    at: &mut Array<i32>,
    score: f32,
    place: usize,
    #[comptime] k: usize,
) {
    if score > best[k - 1] {
        let mut rank = (k - 1).runtime();
        while rank > 0 && best[rank - 1] < score {
            best[rank] = best[rank - 1];
            at[rank] = at[rank - 1];
            rank -= 1;
        }
        best[rank] = score;
        at[rank] = i32::cast_from(place);
    }
}
