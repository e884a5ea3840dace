//! Kernels that read slots found. A unit takes a head of a query.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::arch::EPSILON;
use crate::kernel::gpu::{UNITS, sum_of};

/// Units of a group that each take a query, or a head of one.
pub const QUERIES: usize = 64;

/// Heads and slots found, by which a kernel is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    pub n_heads: usize,
    pub d_head: usize,
    pub k: usize,
    pub by_distance: bool,
}

/// Gradients that a backward pass takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Takes {
    pub is_mixed: bool,
    /// Values found have a gradient.
    pub trains: bool,
    /// The gradient by the values found also goes to what is written down.
    pub estimates: bool,
    /// Keys and values to write stand beside the queries.
    pub has_written: bool,
}

/// Scores of the slots found, and their weights, of the head whose part of the query begins at `start`.
#[cube]
#[allow(clippy::too_many_arguments)]
fn weigh(
    asked: &[f32],
    places: &[i32],
    rows: &[f32],
    scores: &mut Array<f32>,
    weights: &mut Array<f32>,
    start: usize,
    first: usize,
    row_width: usize,
    column: usize,
    sharpness: f32,
    #[comptime] head: Head,
) {
    let mut largest = f32::MIN.runtime();
    for rank in 0..head.k {
        let key = usize::cast_from(places[first + rank]) * row_width + column;
        let mut score = 0.0f32;
        for d in 0..head.d_head {
            if comptime![head.by_distance] {
                let apart = asked[start + d] - rows[key + d];
                score += apart * apart;
            } else {
                score += asked[start + d] * rows[key + d];
            }
        }
        if comptime![head.by_distance] {
            score = -(score + EPSILON).sqrt();
        }
        scores[rank] = score;
        largest = select(score > largest, score, largest);
    }
    let mut total = 0.0f32;
    for rank in 0..head.k {
        let power = (sharpness * (scores[rank] - largest)).exp();
        weights[rank] = power;
        total += power;
    }
    for rank in 0..head.k {
        weights[rank] /= total;
    }
}

/// Share of the values read, by the gate of a head.
#[cube]
fn share(gate: f32) -> f32 {
    1.0 / (1.0 + (-gate).exp())
}

#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub fn read(
    asked: &[f32],
    places: &[i32],
    rows: &[f32],
    parameters: &[f32],
    local: &[f32],
    z: &mut [f32],
    n: usize,
    row_width: usize,
    sharpness_at: usize,
    gate_at: usize,
    scale: f32,
    #[comptime] head: Head,
    #[comptime] is_mixed: bool,
) {
    let unit = CUBE_POS * QUERIES + UNIT_POS as usize;
    if unit < n * head.n_heads {
        let first = unit / head.n_heads * head.k;
        let column = unit % head.n_heads * head.d_head;
        let start = unit * head.d_head;
        let mut scores = Array::<f32>::new(head.k);
        let mut weights = Array::<f32>::new(head.k);
        let sharpness = parameters[sharpness_at].abs() * scale;
        weigh(
            asked, places, rows, &mut scores, &mut weights, start, first, row_width, column, sharpness,
            head,
        );
        let width = head.n_heads * head.d_head;
        for d in 0..head.d_head {
            let mut sum = 0.0f32;
            for rank in 0..head.k {
                let row = usize::cast_from(places[first + rank]) * row_width;
                sum += weights[rank] * rows[row + width + column + d];
            }
            if comptime![is_mixed] {
                let share = share(parameters[gate_at + unit % head.n_heads]);
                sum = share * sum + (1.0 - share) * local[start + d];
            }
            z[start + d] = sum;
        }
    }
}

/// Gradients side by side in `by_all`: by projections of `stride` numbers, by `local`, by the values found, and each head's
/// share of those by the sharpness and by the gates.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub fn backward(
    asked: &[f32],
    places: &[i32],
    rows: &[f32],
    parameters: &[f32],
    local: &[f32],
    dz: &[f32],
    by_all: &mut [f32],
    n: usize,
    row_width: usize,
    stride: usize,
    factors_at: usize,
    local_at: usize,
    values_at: usize,
    parameters_at: usize,
    sharpness_at: usize,
    gate_at: usize,
    scale: f32,
    #[comptime] head: Head,
    #[comptime] takes: Takes,
) {
    let unit = CUBE_POS * QUERIES + UNIT_POS as usize;
    if unit < n * head.n_heads {
        let query = unit / head.n_heads;
        let first = query * head.k;
        let column = unit % head.n_heads * head.d_head;
        let start = unit * head.d_head;
        let width = head.n_heads * head.d_head;
        let mut scores = Array::<f32>::new(head.k);
        let mut weights = Array::<f32>::new(head.k);
        let signed = parameters[sharpness_at];
        let sharpness = signed.abs() * scale;
        weigh(
            asked, places, rows, &mut scores, &mut weights, start, first, row_width, column, sharpness,
            head,
        );
        let mut part = 1.0f32;
        if comptime![takes.is_mixed] {
            part = share(parameters[gate_at + unit % head.n_heads]);
        }
        // Gradients by the weights, then by the scores.
        let mut by_weights = Array::<f32>::new(head.k);
        let mut mean = 0.0f32;
        let mut read = 0.0f32;
        for rank in 0..head.k {
            let row = usize::cast_from(places[first + rank]) * row_width + width + column;
            let mut by_weight = 0.0f32;
            for d in 0..head.d_head {
                by_weight += dz[start + d] * rows[row + d];
                if comptime![takes.trains] {
                    by_all[values_at + (first + rank) * width + column + d] =
                        weights[rank] * dz[start + d];
                }
            }
            read += weights[rank] * by_weight;
            by_weights[rank] = part * by_weight;
            mean += weights[rank] * part * by_weight;
        }
        let mut by_sharpness = 0.0f32;
        for rank in 0..head.k {
            let by_score = weights[rank] * (by_weights[rank] - mean);
            by_sharpness += by_score * scores[rank];
            by_weights[rank] = by_score * sharpness;
            if comptime![head.by_distance] {
                by_weights[rank] = by_score * sharpness / scores[rank];
            }
        }
        let sign = select(signed > 0.0, 1.0f32, select(signed < 0.0, -1.0f32, 0.0f32));
        by_all[parameters_at + unit] = by_sharpness * sign * scale;
        let own = query * stride + column;
        let mut along = 0.0f32;
        for d in 0..head.d_head {
            let mut by_unit = 0.0f32;
            for rank in 0..head.k {
                let key = usize::cast_from(places[first + rank]) * row_width + column + d;
                if comptime![head.by_distance] {
                    by_unit += by_weights[rank] * (asked[start + d] - rows[key]);
                } else {
                    by_unit += by_weights[rank] * rows[key];
                }
            }
            if comptime![takes.estimates && !takes.has_written] {
                by_unit += dz[start + d];
            }
            along += by_unit * asked[start + d];
            by_all[own + d] = by_unit;
        }
        along *= comptime![head.n_heads as f32].runtime();
        let factor = asked[factors_at + unit];
        for d in 0..head.d_head {
            by_all[own + d] = (by_all[own + d] - along * asked[start + d]) * factor;
        }
        if comptime![takes.has_written] {
            for d in 0..head.d_head {
                by_all[own + width + d] = 0.0;
                let mut by_value = 0.0f32;
                if comptime![takes.estimates] {
                    by_value = dz[start + d];
                }
                by_all[own + 2 * width + d] = by_value;
            }
        }
        if comptime![takes.is_mixed] {
            for d in 0..head.d_head {
                by_all[local_at + start + d] = (1.0 - part) * dz[start + d];
                read -= dz[start + d] * local[start + d];
            }
            by_all[parameters_at + n * head.n_heads + unit] = read * part * (1.0 - part);
        }
    }
}

/// The first group adds up the gradients by the sharpness, each other those by a head's gate.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub fn add(
    by_all: &[f32],
    by_parameters: &mut [f32],
    n: usize,
    n_heads: usize,
    parameters_at: usize,
    sharpness_at: usize,
    gate_at: usize,
) {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let is_gate = CUBE_POS > 0;
    let head = select(is_gate, CUBE_POS - 1, 0);
    let start = select(is_gate, parameters_at + n * n_heads + head, parameters_at);
    let step = select(is_gate, n_heads, 1);
    let count = select(is_gate, n, n * n_heads);
    let mut sum = 0.0f32;
    for at in range_stepped(UNIT_POS as usize, count, UNITS) {
        sum += by_all[start + at * step];
    }
    let sum = sum_of(sum, &mut shared, UNITS);
    if UNIT_POS == 0 {
        by_parameters[select(is_gate, gate_at + head, sharpness_at)] += sum;
    }
}
