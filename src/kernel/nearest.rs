//! The nearest of many keys, exactly, on a GPU: one unit a query looks at every key.

use burn::backend::Cube;
use burn::tensor::{Int, Tensor};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::fused::primitive;
use super::gpu::{arg, dims, empty, groups};
use super::top;
use crate::config::Distance;

/// Units a group: each keeps its own nearest, so that a small group fills a GPU sooner.
const QUERIES: usize = 64;

/// Places of the `k` nearest keys of each query, the nearest first, and how far they are. Of keys that are
/// equally far the first are taken.
///
/// # Shapes
/// `queries`: `[n, d_key]`; `keys`: `[slots, d_key]`, at least `k` of them; the results: `[n, k]`
pub fn nearest(
    queries: Tensor<2>,
    keys: Tensor<2>,
    k: usize,
    distance: Distance,
) -> (Tensor<2, Int>, Tensor<2>) {
    let [queries, keys] = [queries, keys].map(|x| primitive::<Cube>(x.into_dispatch()));
    let ([n, width], [slots, _]) = (dims::<2>(&queries), dims::<2>(&keys));
    let distances = empty(&queries, [n, k]);
    let places = top::empty(&queries, [n, k]);
    search::launch(
        &queries.client,
        groups(n.div_ceil(QUERIES)),
        CubeDim::new_1d(QUERIES as u32),
        arg(&queries),
        arg(&keys),
        arg(&places),
        arg(&distances),
        n,
        slots,
        width,
        k,
        distance == Distance::Cosine,
    );
    (Tensor::from_primitive::<Cube>(places), Tensor::from_primitive::<Cube>(distances))
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn search(
    queries: &[f32],
    keys: &[f32],
    places: &mut [i32],
    distances: &mut [f32],
    n: usize,
    slots: usize,
    width: usize,
    #[comptime] k: usize,
    #[comptime] is_cosine: bool,
) {
    let query = CUBE_POS * QUERIES + UNIT_POS as usize;
    if query < n {
        let mut best = Array::<f32>::new(k);
        let mut at = Array::<i32>::new(k);
        top::clear(&mut best, &mut at, k);
        let mut size = 0.0f32;
        for column in 0..width {
            let x = queries[query * width + column];
            size += x * x;
        }
        for slot in 0..slots {
            let mut distance = 0.0f32;
            if is_cosine.runtime() {
                let mut product = 0.0f32;
                let mut square = 0.0f32;
                for column in 0..width {
                    let (x, y) = (queries[query * width + column], keys[slot * width + column]);
                    product += x * y;
                    square += y * y;
                }
                let sizes = (size * square).sqrt();
                distance = 1.0;
                if sizes > 0.0 {
                    distance = 1.0 - product / sizes;
                }
            } else {
                for column in 0..width {
                    let apart = queries[query * width + column] - keys[slot * width + column];
                    distance += apart * apart;
                }
            }
            top::keep(&mut best, &mut at, -distance, slot, k);
        }
        for rank in 0..k {
            let mut distance = -best[rank];
            if !is_cosine.runtime() {
                distance = distance.sqrt();
            }
            distances[query * k + rank] = distance;
            places[query * k + rank] = at[rank];
        }
    }
}
