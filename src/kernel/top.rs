//! Where the largest of each row are, and the largest sums of two rows. Burn sorts for that on the host,
//! which a browser cannot wait for.

use burn::backend::{Cube, Flex};
use burn::tensor::{DType, Device, Int, Shape, Tensor, TensorData};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::fused;
use super::fused::primitive;
use super::gpu::{GpuTensor, arg, groups, ints};

/// Units a group: each looks at a row.
const ROWS: usize = 64;

/// Places of the `k` largest of each row, the largest first; of those that are equal, the first.
///
/// # Shapes
/// `scores`: `[n, width]`, at least `k` wide; the result: `[n, k]`
pub fn top(scores: Tensor<2>, k: usize) -> Tensor<2, Int> {
    let ([n, width], device) = (scores.dims(), scores.device());
    if fused::is_cpu(&device) {
        let scores = primitive::<Flex>(scores.into_dispatch());
        let rows = fused::values(&scores).chunks(width);
        return to_tensor(rows.flat_map(|row| top_of(row, k)).collect(), [n, k], &device);
    }
    let scores = primitive::<Cube>(scores.into_dispatch());
    let places = empty(&scores, [n, k]);
    largest::launch(
        &scores.client,
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

/// The `k` pairs of a place of the first row and one of the second whose scores have the largest
/// sums: the first place, the second, and `first * width + second`.
///
/// # Shapes
/// `scores`: `[n, width]` each; `places` and the results: `[n, k]`
pub fn top_pairs(scores: [Tensor<2>; 2], places: [Tensor<2, Int>; 2]) -> [Tensor<2, Int>; 3] {
    let ([n, width], [_, k]) = (scores[0].dims(), places[0].dims());
    let device = scores[0].device();
    if fused::is_cpu(&device) {
        let scores = scores.map(|scores| primitive::<Flex>(scores.into_dispatch()));
        let places = places
            .map(|places| places.into_data().iter::<u32>().map(|at| at as i32).collect::<Vec<_>>());
        let mut best = [(); 3].map(|()| Vec::with_capacity(n * k));
        for row in 0..n {
            let score = |of: usize, at: i32| fused::values(&scores[of])[row * width + at as usize];
            let [first, second] = [0, 1].map(|of| &places[of][row * k..(row + 1) * k]);
            let sums: Vec<f32> = first
                .iter()
                .flat_map(|a| second.iter().map(|b| score(0, *a) + score(1, *b)))
                .collect();
            for pair in top_of(&sums, k) {
                let (a, b) = (first[pair as usize / k], second[pair as usize % k]);
                let pair = [a, b, a * width as i32 + b];
                best.iter_mut().zip(pair).for_each(|(best, place)| best.push(place));
            }
        }
        return best.map(|places| to_tensor(places, [n, k], &device));
    }
    let scores = scores.map(|scores| primitive::<Cube>(scores.into_dispatch()));
    let places = places.map(ints);
    let best = [(); 3].map(|()| empty(&scores[0], [n, k]));
    pairs::launch(
        &scores[0].client,
        groups(n.div_ceil(ROWS)),
        CubeDim::new_1d(ROWS as u32),
        arg(&scores[0]),
        arg(&scores[1]),
        arg(&places[0]),
        arg(&places[1]),
        arg(&best[0]),
        arg(&best[1]),
        arg(&best[2]),
        n,
        width,
        k,
    );
    best.map(Tensor::from_primitive::<Cube>)
}

fn to_tensor(places: Vec<i32>, shape: [usize; 2], device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(places, shape), device)
}

/// Whole numbers beside `like`, of any value.
pub(super) fn empty(like: &GpuTensor, shape: [usize; 2]) -> GpuTensor {
    let client = like.client.clone();
    let handle = client.empty(shape.iter().product::<usize>() * size_of::<i32>());
    GpuTensor::new_contiguous(client, like.device.clone(), Shape::from(shape), handle, DType::I32)
}

fn top_of(row: &[f32], k: usize) -> Vec<i32> {
    let mut order: Vec<i32> = (0..row.len() as i32).collect();
    let by_score = |a: &i32, b: &i32| row[*b as usize].total_cmp(&row[*a as usize]).then(a.cmp(b));
    order.select_nth_unstable_by(k - 1, by_score);
    order.truncate(k);
    order.sort_by(by_score);
    order
}

/// Nothing found yet.
#[cube]
pub(super) fn clear(best: &mut Array<f32>, at: &mut Array<i32>, #[comptime] k: usize) {
    for rank in 0..k {
        best[rank] = f32::MIN;
        at[rank] = 0;
    }
}

/// Puts `score`, found at `place`, among the largest so far.
#[cube]
pub(super) fn keep(
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

#[cube(launch)]
fn largest(scores: &[f32], places: &mut [i32], n: usize, width: usize, #[comptime] k: usize) {
    let row = CUBE_POS * ROWS + UNIT_POS as usize;
    if row < n {
        let mut best = Array::<f32>::new(k);
        let mut at = Array::<i32>::new(k);
        clear(&mut best, &mut at, k);
        for column in 0..width {
            keep(&mut best, &mut at, scores[row * width + column], column, k);
        }
        for rank in 0..k {
            places[row * k + rank] = at[rank];
        }
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn pairs(
    first_scores: &[f32],
    second_scores: &[f32],
    first_places: &[i32],
    second_places: &[i32],
    firsts: &mut [i32],
    seconds: &mut [i32],
    both: &mut [i32],
    n: usize,
    width: usize,
    #[comptime] k: usize,
) {
    let row = CUBE_POS * ROWS + UNIT_POS as usize;
    if row < n {
        let mut best = Array::<f32>::new(k);
        let mut at = Array::<i32>::new(k);
        clear(&mut best, &mut at, k);
        for a in 0..k {
            let first = first_scores[row * width + usize::cast_from(first_places[row * k + a])];
            for b in 0..k {
                let second =
                    second_scores[row * width + usize::cast_from(second_places[row * k + b])];
                keep(&mut best, &mut at, first + second, a * k + b, k);
            }
        }
        for rank in 0..k {
            let pair = usize::cast_from(at[rank]);
            let first = first_places[row * k + pair / k];
            let second = second_places[row * k + pair % k];
            firsts[row * k + rank] = first;
            seconds[row * k + rank] = second;
            both[row * k + rank] = first * i32::cast_from(width) + second;
        }
    }
}
