//! Search by brute force: every query against every key, a block at a time.

use super::Shape;
use crate::base::lanes::{LANES, wide};
use crate::base::matrix::Matrix;
use crate::base::parallel::for_each;
use crate::config::Distance;

/// Queries and keys of a block: their products stay in the cache.
const QUERIES: usize = 64;
const KEYS: usize = 1024;

/// Distances and indices of the `k` nearest keys of each query, nearest first; equally near ones by `id`.
///
/// # Shapes
/// `keys`: `[keys, d_key]`; `squares`, of their lengths: `[keys]`; `queries`: `[n, d_key]`; the result: `n` times `k`
pub(super) fn nearest(
    shape: Shape,
    keys: &[f32],
    squares: &[f32],
    queries: &[f32],
    k: usize,
    id: &(dyn Fn(usize) -> u64 + Sync),
) -> Vec<(f32, usize)> {
    let block = QUERIES * shape.d_key;
    let mut nearest = vec![Vec::new(); queries.len().div_ceil(block)];
    let parts = nearest.iter_mut().zip(queries.chunks(block)).collect();
    for_each(parts, |_, (nearest, queries)| {
        *nearest = of_block(shape, keys, squares, queries, k, id);
    });
    nearest.into_iter().flatten().flatten().collect()
}

/// The nearest of each of a few queries.
fn of_block(
    shape: Shape,
    keys: &[f32],
    squares: &[f32],
    queries: &[f32],
    k: usize,
    id: &dyn Fn(usize) -> u64,
) -> Vec<Vec<(f32, usize)>> {
    let Shape { d_key, distance, .. } = shape;
    let rows = Matrix::new(queries, d_key);
    let n = queries.len() / d_key;
    let mut best = vec![Vec::with_capacity(k + 1); n];
    let mut products = Vec::new();
    for (block, keys) in keys.chunks(KEYS * d_key).enumerate() {
        let (start, width) = (block * KEYS, keys.len() / d_key);
        products.clear();
        products.resize(n * width, 0.0);
        rows.add_product(Matrix::new(keys, d_key).transposed(), &mut products, width);
        let squares = &squares[start..start + width];
        for (best, products) in best.iter_mut().zip(products.chunks_mut(width)) {
            keep_nearest(products, squares, distance, best, k, start);
        }
    }
    for (best, query) in best.iter_mut().zip(queries.chunks(d_key)) {
        // Products lose digits, so the distance to report is measured anew.
        best.iter_mut().for_each(|(score, at)| {
            *score = distance.between(query, &keys[*at * d_key..][..d_key]);
        });
        best.sort_by(|(a, at), (b, bt)| a.total_cmp(b).then(id(*at).cmp(&id(*bt))));
    }
    best
}

wide! {
    /// Puts the keys from the index `start` on among the `k` nearest of a query, of which these are the products with them.
    fn keep_nearest(
        products: &mut [f32],
        squares: &[f32],
        distance: Distance,
        best: &mut Vec<(f32, usize)>,
        k: usize,
        start: usize,
    ) {
        // Scores grow with the distance, all else being the same for one query.
        let pairs = products.iter_mut().zip(squares);
        match distance {
            Distance::L2 => pairs.for_each(|(x, square)| *x = square - 2.0 * *x),
            Distance::Cosine => pairs.for_each(|(x, square)| {
                *x = if *square == 0.0 { 0.0 } else { -*x / square.sqrt() };
            }),
        }
        for (part, scores) in products.chunks(LANES).enumerate() {
            let limit = largest(best, k);
            let is_near = |score: &f32| *score < limit || limit.is_nan() || score.is_nan();
            // Without an early end, this is a comparison of all at once.
            if !scores.iter().fold(false, |any, score| any | is_near(score)) {
                continue;
            }
            for (index, score) in scores.iter().enumerate() {
                keep(best, k, (*score, start + part * LANES + index));
            }
        }
    }
}

/// The score that a key must be below to be among the `k` smallest; not a number while any is.
fn largest(best: &[(f32, usize)], k: usize) -> f32 {
    best.get(k - 1).map_or(f32::NAN, |(largest, _)| *largest)
}

/// Puts `new` among the `k` smallest, in order.
fn keep(best: &mut Vec<(f32, usize)>, k: usize, new: (f32, usize)) {
    if new.0 >= largest(best, k) {
        return;
    }
    let at = best.partition_point(|(score, _)| *score <= new.0);
    best.insert(at, new);
    best.truncate(k);
}
