//! Gradients by queries, keys, values, γ and α: see `by_keys` of [`cpu`](super::super::cpu).

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use crate::kernel::gpu::UNITS;

/// Units of a group that follow rows of weights, each without the others.
pub const BLOCK: usize = 64;

/// A unit for each number of each head's queries: it keeps that row of the weights.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
pub fn by_queries(
    all: &[f32],
    dz: &[f32],
    by_qkv: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    saved: usize,
    #[comptime] d_head: usize,
) {
    let unit = CUBE_POS * BLOCK + UNIT_POS as usize;
    let width = n_heads * d_head;
    if unit < batch * width {
        let row = unit / width;
        let column = unit % width;
        let first = column / d_head * d_head;
        let mut weights = Array::<f32>::new(d_head);
        for d in 0..d_head {
            weights[d] = 0.0;
        }
        for token in 0..seq {
            let place = row * seq + token;
            let gain = all[saved + place * 3 * width + column];
            let lacked = saved + (place * 3 + 1) * width + first;
            let mut sum = 0.0f32;
            for d in 0..d_head {
                weights[d] += gain * all[lacked + d];
                sum += weights[d] * dz[place * width + first + d];
            }
            by_qkv[place * 3 * width + column] = sum;
        }
    }
}

/// A group of units for each head, a unit for each of its numbers, from the last token on: it keeps a row of the gradient by
/// `A`, and a row and a column of that by `B`. The first unit also has the gradients by γ and, of this row of the batch, by α.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
#[allow(clippy::collapsible_if, reason = "the outer condition is known as the kernel is compiled")]
pub fn by_keys(
    qkv: &[f32],
    gamma: &[f32],
    hidden: &[i32],
    all: &[f32],
    dz: &[f32],
    by_qkv: &mut [f32],
    by_all: &mut [f32],
    batch: usize,
    seq: usize,
    n_heads: usize,
    saved: usize,
    of_rows: usize,
    #[comptime] d_head: usize,
    #[comptime] hides: bool,
) {
    let mut keys = Shared::<[f32]>::new_slice(d_head);
    let mut values = Shared::<[f32]>::new_slice(d_head);
    let mut solved = Shared::<[f32]>::new_slice(d_head); // A⁻¹ q
    let mut by_query = Shared::<[f32]>::new_slice(d_head);
    let mut by_output = Shared::<[f32]>::new_slice(d_head);
    let mut parts = Shared::<[f32]>::new_slice(d_head);
    let row = CUBE_POS / n_heads;
    let which = CUBE_POS % n_heads;
    let own = UNIT_POS as usize;
    let width = n_heads * d_head;
    if row < batch {
        let mut by_moments = Array::<f32>::new(d_head);
        let mut by_products = Array::<f32>::new(d_head);
        let mut by_column = Array::<f32>::new(d_head);
        for d in 0..d_head {
            by_moments[d] = 0.0;
            by_products[d] = 0.0;
            by_column[d] = 0.0;
        }
        let mut kept = 1.0f32;
        let mut by_log_gamma = 0.0f32;
        for step in 0..seq {
            let place = row * seq + seq - 1 - step;
            let column = which * d_head + own;
            let at = place * 3 * width + column;
            let mut is_shown = true;
            if comptime![hides] {
                is_shown = hidden[place] == 0;
            }
            sync_cube();
            keys[own] = select(is_shown, qkv[at + width], 0.0);
            values[own] = qkv[at + 2 * width];
            solved[own] = all[saved + at + 2 * width];
            by_query[own] = by_qkv[at];
            by_output[own] = dz[place * width + column];
            sync_cube();
            let mut of_moments = 0.0f32;
            let mut of_products = 0.0f32;
            let mut by_value = 0.0f32;
            for d in 0..d_head {
                let of_token = by_query[own] * solved[d] + solved[own] * by_query[d];
                by_moments[d] = kept * by_moments[d] - 0.5 * of_token;
                by_products[d] = kept * by_products[d] + solved[own] * by_output[d];
                by_column[d] = kept * by_column[d] + solved[d] * by_output[own];
                of_moments += by_moments[d] * keys[d];
                of_products += by_products[d] * values[d];
                by_value += by_column[d] * keys[d];
            }
            by_qkv[at + width] = select(is_shown, 2.0 * of_moments + of_products, 0.0);
            by_qkv[at + 2 * width] = by_value;
            parts[own] = keys[own] * (of_moments + of_products);
            sync_cube();
            let decay = gamma[place * n_heads + which];
            kept = select(is_shown, decay, 1.0);
            if own == 0 {
                for d in 0..d_head {
                    by_log_gamma -= parts[d];
                }
                by_all[place * n_heads + which] = select(is_shown, by_log_gamma / decay, 0.0);
            }
        }
        let mut diagonal = 0.0f32;
        for d in 0..d_head {
            diagonal = select(d == own, by_moments[d], diagonal);
        }
        sync_cube();
        parts[own] = diagonal;
        sync_cube();
        if own == 0 {
            let mut trace = 0.0f32;
            for d in 0..d_head {
                trace += parts[d];
            }
            by_all[of_rows + row * n_heads + which] = kept * trace;
        }
    }
}

/// A unit for each head, which adds up the gradients by its α over the rows.
#[cube(launch)]
pub fn by_log_ridge(
    by_all: &[f32],
    log_ridge: &[f32],
    by_log_ridge: &mut [f32],
    batch: usize,
    n_heads: usize,
    of_rows: usize,
) {
    let head = CUBE_POS * UNITS + UNIT_POS as usize;
    if head < n_heads {
        let mut sum = 0.0f32;
        for row in 0..batch {
            sum += by_all[of_rows + row * n_heads + head];
        }
        by_log_ridge[head] = sum * log_ridge[head].exp();
    }
}
