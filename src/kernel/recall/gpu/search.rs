//! The nearest slots, exactly: a unit looks for a query's among all.

use std::sync::Arc;

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::found::Found;
use super::kernels::QUERIES;
use super::mirror::Mirror;
use crate::arch::EPSILON;
use crate::config::Distance;
use crate::kernel::fused::primitive;
use crate::kernel::gpu::{arg, dims, empty, groups, part_of, together};
use crate::kernel::recall::form::Form;
use crate::kernel::top;

/// A search, by which its kernel is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Search {
    n_heads: usize,
    d_head: usize,
    /// Slots to find.
    k: usize,
    is_cosine: bool,
    /// Keys and values to write stand beside the queries.
    has_written: bool,
}

/// As [`crate::kernel::recall::Slots::find`]: what was found, and the keys and values to write.
pub fn find(
    mirror: Option<&Arc<Mirror>>,
    projected: Tensor<3>,
    form: Form,
    top_k: usize,
) -> (Option<Found>, [Tensor<2>; 2]) {
    let projected = primitive::<Cube>(projected.into_dispatch());
    let [batch, seq, stride] = dims(&projected);
    let (n, width) = (batch * seq, form.width);
    let has_written = stride > width;
    let written = if has_written { n * width } else { 0 };
    let (asked, [_, factors, keys, values]) =
        together(&projected, [n * width, n * form.n_heads, written, written]);
    let k = mirror.map_or(0, |mirror| top_k.min(mirror.len()));
    let shape = [n, k.max(1)];
    let (places, distances) = (top::empty(&projected, shape), empty(&projected, shape));
    let search = Search {
        n_heads: form.n_heads,
        d_head: form.d_head(),
        k,
        is_cosine: mirror.is_some_and(|mirror| mirror.distance() == Distance::Cosine),
        has_written,
    };
    look_up::launch(
        &projected.client,
        groups(n.div_ceil(QUERIES)),
        CubeDim::new_1d(QUERIES as u32),
        arg(&projected),
        arg(mirror.map_or(&projected, |mirror| &mirror.rows)),
        arg(&asked),
        arg(&places),
        arg(&distances),
        n,
        stride,
        mirror.map_or(0, |mirror| mirror.width()),
        mirror.map_or(0, |mirror| mirror.capacity()),
        factors,
        keys,
        values,
        search,
    );
    let rows = |at: usize| Tensor::from_primitive::<Cube>(part_of(&asked, at, [n, width]));
    let written = if has_written { [keys, values] } else { [0, 0] }.map(rows);
    let found = mirror.cloned().map(|mirror| Found { places, distances, mirror, asked, factors });
    (found, written)
}

/// Scales the heads of a row to the same length, and the row to length 1, and writes it and the factors down.
#[cube]
#[allow(clippy::too_many_arguments)]
fn scale(
    from: &[f32],
    to: &mut [f32],
    start: usize,
    at: usize,
    factors: usize,
    #[comptime] search: Search,
    #[comptime] keeps: bool,
) {
    for head in 0..search.n_heads {
        let column = head * search.d_head;
        let mut square = 0.0f32;
        for d in 0..search.d_head {
            let x = from[start + column + d];
            square += x * x;
        }
        let factor = 1.0 / ((square + EPSILON) * comptime![search.n_heads as f32].runtime()).sqrt();
        for d in 0..search.d_head {
            to[at + column + d] = from[start + column + d] * factor;
        }
        if comptime![keeps] {
            to[factors + head] = factor;
        }
    }
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn look_up(
    projected: &[f32],
    rows: &[f32],
    asked: &mut [f32],
    places: &mut [i32],
    distances: &mut [f32],
    n: usize,
    stride: usize,
    row_width: usize,
    capacity: usize,
    factors_at: usize,
    keys_at: usize,
    values_at: usize,
    #[comptime] search: Search,
) {
    let query = CUBE_POS * QUERIES + UNIT_POS as usize;
    let width = search.n_heads * search.d_head;
    if query < n {
        let own = query * width;
        let from = query * stride;
        scale(projected, asked, from, own, factors_at + query * search.n_heads, search, true);
        if comptime![search.has_written] {
            scale(projected, asked, from + width, keys_at + own, 0, search, false);
            for d in 0..width {
                asked[values_at + own + d] = projected[from + 2 * width + d];
            }
        }
        if comptime![search.k > 0] {
            let mut best = Array::<f32>::new(search.k);
            let mut at = Array::<i32>::new(search.k);
            top::clear(&mut best, &mut at, search.k);
            let mut size = 0.0f32;
            for d in 0..width {
                size += asked[own + d] * asked[own + d];
            }
            let slots = usize::cast_from(rows[capacity * row_width]);
            for slot in 0..slots {
                let key = slot * row_width;
                let mut distance = 0.0f32;
                if comptime![search.is_cosine] {
                    let mut product = 0.0f32;
                    let mut square = 0.0f32;
                    for d in 0..width {
                        let (x, y) = (asked[own + d], rows[key + d]);
                        product += x * y;
                        square += y * y;
                    }
                    let sizes = (size * square).sqrt();
                    distance = 1.0;
                    if sizes > 0.0 {
                        distance = 1.0 - product / sizes;
                    }
                } else {
                    for d in 0..width {
                        let apart = asked[own + d] - rows[key + d];
                        distance += apart * apart;
                    }
                }
                top::keep(&mut best, &mut at, -distance, slot, search.k);
            }
            for rank in 0..search.k {
                let mut distance = -best[rank];
                if comptime![!search.is_cosine] {
                    distance = distance.sqrt();
                }
                distances[query * search.k + rank] = distance;
                places[query * search.k + rank] = at[rank];
            }
        }
    }
}
