//! Product keys on a GPU: one kernel finds pairs and one reads their values; backward, one takes the gradients by every
//! query and one those by keys and values.

use std::sync::Arc;

use burn::backend::Cube;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::kernel::fused::Fused;
use crate::kernel::gpu::{GpuTensor, UNITS, arg, dims, empty, groups, part_of, together};
use crate::kernel::param::FlatParameters;
use crate::kernel::top;

/// Units of a group that each take a query.
const QUERIES: usize = 64;

/// Units that add up the gradient of one key or value.
const ROW_UNITS: usize = 64;

/// [`super::read`] of queries.
#[derive(Clone, Debug)]
pub struct Read {
    pub parameters: Arc<FlatParameters>,
    /// Where the first and second halves' keys and the values begin.
    pub starts: [usize; 3],
    pub sizes: Sizes,
}

/// Sizes, by which a kernel is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sizes {
    pub half_keys: usize,
    /// Numbers of a half-key.
    pub half: usize,
    pub d_model: usize,
    /// Pairs found per query.
    pub k: usize,
}

impl Fused<Cube, 1> for Read {
    /// Pairs found, as places of their values, and their weights: `[n, k]` each.
    type Saved = [GpuTensor; 2];

    fn forward(&self, [q]: &[GpuTensor; 1]) -> (GpuTensor, Self::Saved) {
        let Self { parameters, starts: [first, second, values], sizes } = self;
        let [batch, seq, _] = dims(q);
        let n = batch * seq;
        let (places, weights) = (top::empty(q, [n, sizes.k]), empty(q, [n, sizes.k]));
        let z = empty(q, [batch, seq, sizes.d_model]);
        find::launch(
            &q.client,
            groups(n.div_ceil(QUERIES)),
            CubeDim::new_1d(QUERIES as u32),
            arg(q),
            arg(&parameters.values),
            arg(&places),
            arg(&weights),
            n,
            *first,
            *second,
            *sizes,
        );
        read::launch(
            &q.client,
            groups((n * sizes.d_model).div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            arg(&places),
            arg(&weights),
            arg(&parameters.values),
            arg(&z),
            n,
            *values,
            *sizes,
        );
        (z, [places, weights])
    }

    fn backward(
        &self,
        [q]: &[GpuTensor; 1],
        [places, weights]: &Self::Saved,
        dz: &GpuTensor,
    ) -> [Option<GpuTensor>; 1] {
        let Self { parameters, starts: [first, second, values], sizes } = self;
        let shape @ [batch, seq, d_key] = dims(q);
        let n = batch * seq;
        let (by_all, [_, scores]) = together(q, [n * d_key, n * sizes.k]);
        by_query::launch(
            &q.client,
            groups(n.div_ceil(QUERIES)),
            CubeDim::new_1d(QUERIES as u32),
            arg(places),
            arg(weights),
            arg(&parameters.values),
            arg(dz),
            arg(&by_all),
            n,
            scores,
            *first,
            *second,
            *values,
            *sizes,
        );
        by_parameters::launch(
            &q.client,
            groups(sizes.half_keys * (sizes.half_keys + 2)),
            CubeDim::new_1d(ROW_UNITS as u32),
            arg(q),
            arg(places),
            arg(weights),
            arg(dz),
            arg(&by_all),
            arg(parameters.by_values()),
            n,
            scores,
            *first,
            *second,
            *values,
            *sizes,
        );
        [Some(part_of(&by_all, 0, shape))]
    }
}

/// Score of the half-key that begins at `key` with the half of a query that begins at `start`.
#[cube]
fn score(q: &[f32], parameters: &[f32], start: usize, key: usize, #[comptime] sizes: Sizes) -> f32 {
    let mut sum = 0.0f32;
    for d in 0..sizes.half {
        sum += q[start + d] * parameters[key + d];
    }
    sum
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn find(
    q: &[f32],
    parameters: &[f32],
    places: &mut [i32],
    weights: &mut [f32],
    n: usize,
    first_at: usize,
    second_at: usize,
    #[comptime] sizes: Sizes,
) {
    let query = CUBE_POS * QUERIES + UNIT_POS as usize;
    if query < n {
        let start = query * 2 * sizes.half;
        let mut first = Array::<f32>::new(sizes.k);
        let mut at_first = Array::<i32>::new(sizes.k);
        top::clear(&mut first, &mut at_first, sizes.k);
        let mut second = Array::<f32>::new(sizes.k);
        let mut at_second = Array::<i32>::new(sizes.k);
        top::clear(&mut second, &mut at_second, sizes.k);
        for key in 0..sizes.half_keys {
            let of_first = score(q, parameters, start, first_at + key * sizes.half, sizes);
            top::keep(&mut first, &mut at_first, of_first, key, sizes.k);
            let half = start + sizes.half;
            let of_second = score(q, parameters, half, second_at + key * sizes.half, sizes);
            top::keep(&mut second, &mut at_second, of_second, key, sizes.k);
        }
        let mut best = Array::<f32>::new(sizes.k);
        let mut at = Array::<i32>::new(sizes.k);
        top::clear(&mut best, &mut at, sizes.k);
        for a in 0..sizes.k {
            for b in 0..sizes.k {
                top::keep(&mut best, &mut at, first[a] + second[b], a * sizes.k + b, sizes.k);
            }
        }
        let mut total = 0.0f32;
        for rank in 0..sizes.k {
            total += (best[rank] - best[0]).exp();
        }
        for rank in 0..sizes.k {
            let pair = usize::cast_from(at[rank]);
            let row = at_first[pair / sizes.k] * i32::cast_from(sizes.half_keys);
            places[query * sizes.k + rank] = row + at_second[pair % sizes.k];
            weights[query * sizes.k + rank] = (best[rank] - best[0]).exp() / total;
        }
    }
}

#[cube(launch)]
fn read(
    places: &[i32],
    weights: &[f32],
    parameters: &[f32],
    z: &mut [f32],
    n: usize,
    values_at: usize,
    #[comptime] sizes: Sizes,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    if at < n * sizes.d_model {
        let first = at / sizes.d_model * sizes.k;
        let mut sum = 0.0f32;
        for rank in 0..sizes.k {
            let value = values_at + usize::cast_from(places[first + rank]) * sizes.d_model;
            sum += weights[first + rank] * parameters[value + at % sizes.d_model];
        }
        z[at] = sum;
    }
}

/// Gradients by the queries, and behind them those by the scores of the pairs.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn by_query(
    places: &[i32],
    weights: &[f32],
    parameters: &[f32],
    dz: &[f32],
    by_all: &mut [f32],
    n: usize,
    scores_at: usize,
    first_at: usize,
    second_at: usize,
    values_at: usize,
    #[comptime] sizes: Sizes,
) {
    let query = CUBE_POS * QUERIES + UNIT_POS as usize;
    if query < n {
        let found = query * sizes.k;
        let mut by_weights = Array::<f32>::new(sizes.k);
        let mut mean = 0.0f32;
        for rank in 0..sizes.k {
            let value = values_at + usize::cast_from(places[found + rank]) * sizes.d_model;
            let mut by_weight = 0.0f32;
            for d in 0..sizes.d_model {
                by_weight += dz[query * sizes.d_model + d] * parameters[value + d];
            }
            by_weights[rank] = by_weight;
            mean += weights[found + rank] * by_weight;
        }
        let start = query * 2 * sizes.half;
        for rank in 0..sizes.k {
            by_weights[rank] = weights[found + rank] * (by_weights[rank] - mean);
            by_all[scores_at + found + rank] = by_weights[rank];
        }
        for d in 0..sizes.half {
            let mut of_first = 0.0f32;
            let mut of_second = 0.0f32;
            for rank in 0..sizes.k {
                let place = usize::cast_from(places[found + rank]);
                let (first, second) = (place / sizes.half_keys, place % sizes.half_keys);
                of_first += by_weights[rank] * parameters[first_at + first * sizes.half + d];
                of_second += by_weights[rank] * parameters[second_at + second * sizes.half + d];
            }
            by_all[start + d] = of_first;
            by_all[start + sizes.half + d] = of_second;
        }
    }
}

/// A group adds up the gradient of one row, by looking at every pair found: the first `half_keys²` groups those of values,
/// then those of the first halves' keys, then those of the second's.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn by_parameters(
    q: &[f32],
    places: &[i32],
    weights: &[f32],
    dz: &[f32],
    by_all: &[f32],
    by_parameters: &mut [f32],
    n: usize,
    scores_at: usize,
    first_at: usize,
    second_at: usize,
    values_at: usize,
    #[comptime] sizes: Sizes,
) {
    let pairs = sizes.half_keys * sizes.half_keys;
    let unit = UNIT_POS as usize;
    if CUBE_POS < pairs {
        for column in range_stepped(unit, sizes.d_model, ROW_UNITS) {
            let mut sum = 0.0f32;
            for at in 0..n * sizes.k {
                if places[at] == i32::cast_from(CUBE_POS) {
                    sum += weights[at] * dz[at / sizes.k * sizes.d_model + column];
                }
            }
            by_parameters[values_at + CUBE_POS * sizes.d_model + column] += sum;
        }
    } else if CUBE_POS < pairs + 2 * sizes.half_keys {
        let is_second = CUBE_POS >= pairs + sizes.half_keys;
        let key = (CUBE_POS - pairs) % sizes.half_keys;
        let start = select(is_second, sizes.half, 0);
        let row = select(is_second, second_at, first_at) + key * sizes.half;
        for column in range_stepped(unit, sizes.half, ROW_UNITS) {
            let mut sum = 0.0f32;
            for at in 0..n * sizes.k {
                let place = usize::cast_from(places[at]);
                let own = select(is_second, place % sizes.half_keys, place / sizes.half_keys);
                if own == key {
                    let query = at / sizes.k * 2 * sizes.half;
                    sum += by_all[scores_at + at] * q[query + start + column];
                }
            }
            by_parameters[row + column] += sum;
        }
    }
}
