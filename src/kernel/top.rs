//! Where the largest of each row are. Burn sorts for that on the host, which a browser cannot wait for.

use burn::backend::{Cube, Flex};
use burn::tensor::{DType, Int, Shape, Tensor, TensorData};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::fused::{self, primitive};
use super::gpu::{GpuTensor, arg, dims, groups};

/// Units a group: each looks at a row.
const ROWS: usize = 64;

/// Places of the `k` largest of each row, the largest first; of those that are equal, the first.
///
/// # Shapes
/// `scores`: `[n, width]`, at least `k` wide; the result: `[n, k]`
pub fn top(scores: Tensor<2>, k: usize) -> Tensor<2, Int> {
    let [n, width] = scores.dims();
    let device = scores.device().inner();
    if fused::is_cpu(&device) {
        let scores = primitive::<Flex>(scores.into_dispatch());
        let places = fused::values(&scores).chunks(width).flat_map(|row| top_of(row, k));
        return Tensor::from_data(TensorData::new(places.collect::<Vec<i32>>(), [n, k]), &device);
    }
    let scores = primitive::<Cube>(scores.into_dispatch());
    let ([n, width], client) = (dims::<2>(&scores), scores.client.clone());
    let handle = client.empty(n * k * size_of::<i32>());
    let device = scores.device.clone();
    let places =
        GpuTensor::new_contiguous(client.clone(), device, Shape::from([n, k]), handle, DType::I32);
    search::launch(
        &client,
        groups(n.div_ceil(ROWS)),
        CubeDim::new_1d(ROWS as u32),
        arg(&scores),
        arg(&places),
        n,
        width,
        k,
    );
    Tensor::from_primitive::<Cube>(places)
}

fn top_of(row: &[f32], k: usize) -> Vec<i32> {
    let mut order: Vec<i32> = (0..row.len() as i32).collect();
    let by_score = |a: &i32, b: &i32| row[*b as usize].total_cmp(&row[*a as usize]).then(a.cmp(b));
    order.select_nth_unstable_by(k - 1, by_score);
    order.truncate(k);
    order.sort_by(by_score);
    order
}

#[cube(launch)]
fn search(scores: &[f32], places: &mut [i32], n: usize, width: usize, #[comptime] k: usize) {
    let row = CUBE_POS * ROWS + UNIT_POS as usize;
    if row < n {
        let mut best = Array::<f32>::new(k);
        let mut at = Array::<i32>::new(k);
        for rank in 0..k {
            best[rank] = f32::MIN;
            at[rank] = 0;
        }
        for column in 0..width {
            let score = scores[row * width + column];
            if score > best[k - 1] {
                let mut rank = (k - 1).runtime();
                while rank > 0 && best[rank - 1] < score {
                    best[rank] = best[rank - 1];
                    at[rank] = at[rank - 1];
                    rank -= 1;
                }
                best[rank] = score;
                at[rank] = i32::cast_from(column);
            }
        }
        for rank in 0..k {
            places[row * k + rank] = at[rank];
        }
    }
}
