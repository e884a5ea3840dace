//! Predictions mixed with what followed the nearest, on a GPU: a group takes a token.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::found::Found;
use crate::arch::SHARPNESS;
use crate::kernel::fused::primitive;
use crate::kernel::gpu::{arg, dims, empty, groups, sum_of};

/// Units that take a token.
const UNITS: usize = 64;

/// As [`crate::kernel::recall::mix_next`].
pub fn mix_next(logits: Tensor<2>, found: &Found, lambda: f32) -> Tensor<2> {
    let logits = primitive::<Cube>(logits.into_dispatch());
    let [n, vocab] = dims(&logits);
    let mixed = empty(&logits, [n, vocab]);
    mix::launch(
        &logits.client,
        groups(n),
        CubeDim::new_1d(UNITS as u32),
        arg(&logits),
        arg(&found.places),
        arg(&found.distances),
        arg(&found.mirror.rows),
        arg(&mixed),
        n,
        vocab,
        found.mirror.width(),
        lambda,
        found.k(),
    );
    Tensor::from_primitive::<Cube>(mixed)
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn mix(
    logits: &[f32],
    places: &[i32],
    distances: &[f32],
    rows: &[f32],
    mixed: &mut [f32],
    n: usize,
    vocab: usize,
    row_width: usize,
    lambda: f32,
    #[comptime] k: usize,
) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let unit = UNIT_POS as usize;
    let is_token = CUBE_POS < n;
    let token = select(is_token, CUBE_POS, 0);
    let (start, first) = (token * vocab, token * k);
    let mut largest = f32::MIN.runtime();
    for at in 0..vocab {
        largest = select(logits[start + at] > largest, logits[start + at], largest);
    }
    let mut sum = 0.0f32;
    for at in range_stepped(unit, vocab, UNITS) {
        sum += (logits[start + at] - largest).exp();
    }
    let sum = sum_of(sum, &mut shared, UNITS);
    let mut weights = Array::<f32>::new(k);
    let mut total = 0.0f32;
    for rank in 0..k {
        let power = (SHARPNESS * (distances[first] - distances[first + rank])).exp();
        weights[rank] = power;
        total += power;
    }
    if is_token {
        for at in range_stepped(unit, vocab, UNITS) {
            let mut p = (1.0 - lambda) * (logits[start + at] - largest).exp() / sum;
            for rank in 0..k {
                let row = usize::cast_from(places[first + rank]) * row_width;
                if rows[row + row_width - 1] == f32::cast_from(at) {
                    p += lambda * weights[rank] / total;
                }
            }
            mixed[start + at] = select(p > f32::MIN_POSITIVE, p, f32::MIN_POSITIVE).ln();
        }
    }
}
