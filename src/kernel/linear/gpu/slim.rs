//! Small products, a number a unit: for a few terms it is not worth while to share them.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::then::Then;
use super::weights::{Weights, by_product, put};
use crate::kernel::gpu::UNITS;

/// Units that share the sum over all tokens.
const LANES: usize = 16;
/// Values of the gradient by the weights that a group computes.
pub const BY_GROUP: usize = UNITS / LANES;

/// `x W + b`, and `then` of it.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn product(
    x: &[f32],
    parameters: &[f32],
    to: &[f32],
    y: &mut [f32],
    slopes: &mut [f32],
    tokens: usize,
    weights: &Weights,
    #[comptime] then: Then,
    #[comptime] has_bias: bool,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    let row = at / weights.width;
    let column = at % weights.width;
    if row < tokens {
        let start = weights.place(0, column);
        let mut sum = 0.0f32;
        for term in 0..weights.rows {
            sum += x[row * weights.rows + term] * parameters[start + term * weights.by_row];
        }
        put(parameters, to, y, slopes, row, column, sum, weights, then, has_bias);
    }
}

/// The gradient by the tokens: `dy Wᵀ`.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn by_tokens(
    parameters: &[f32],
    slopes: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    tokens: usize,
    weights: &Weights,
    #[comptime] is_gelu: bool,
) {
    let at = CUBE_POS * UNITS + UNIT_POS as usize;
    let row = at / weights.rows;
    let column = at % weights.rows;
    if row < tokens {
        let mut sum = 0.0f32;
        for matrix in 0..weights.width / weights.columns {
            let first = matrix * weights.columns;
            let start = weights.place(column, first);
            for term in 0..weights.columns {
                let by_product =
                    by_product(slopes, dy, row * weights.width + first + term, is_gelu);
                sum += by_product * parameters[start + term * weights.by_column];
            }
        }
        dx[at] = sum;
    }
}

/// Share `number` of the gradient by the weights, `xᵀ dy`, and below it the bias's: one a group.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn by_weights(
    shared: &mut Shared<[f32]>,
    x: &[f32],
    slopes: &[f32],
    dy: &[f32],
    by_parameters: &mut [f32],
    tokens: usize,
    number: usize,
    weights: &Weights,
    #[comptime] is_gelu: bool,
    #[comptime] has_bias: bool,
) {
    let unit = UNIT_POS as usize;
    let at = number * BY_GROUP + unit % BY_GROUP;
    let row = at / weights.width;
    let column = at % weights.width;
    let mut sum = 0.0f32;
    if row < weights.rows {
        for token in range_stepped(unit / BY_GROUP, tokens, LANES) {
            let by_product = by_product(slopes, dy, token * weights.width + column, is_gelu);
            sum += x[token * weights.rows + row] * by_product;
        }
    } else if has_bias && row == weights.rows {
        for token in range_stepped(unit / BY_GROUP, tokens, LANES) {
            sum += by_product(slopes, dy, token * weights.width + column, is_gelu);
        }
    }
    shared[unit] = sum;
    sync_cube();
    if unit < BY_GROUP {
        let mut sum = 0.0f32;
        for lane in 0..LANES {
            sum += shared[lane * BY_GROUP + unit];
        }
        if row < weights.rows {
            by_parameters[weights.place(row, column)] += sum;
        } else if has_bias && row == weights.rows {
            by_parameters[weights.bias(column)] += sum;
        }
    }
}
