//! Weights of a product: their places, and the steps that read them at one value.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::then::Then;
use crate::kernel::gelu::gpu::gelu;

/// Places of weights.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub struct Weights {
    pub start: usize,
    /// Distance from one matrix's first value to the next one's.
    pub apart: usize,
    pub b_start: usize,
    pub by_row: usize,
    pub by_column: usize,
    pub rows: usize,
    /// Columns of one matrix.
    pub columns: usize,
    /// Columns of all.
    pub width: usize,
}

#[cube]
impl Weights {
    /// Place of the weight of value `row` of a token in column `column` of its product.
    pub fn place(&self, row: usize, column: usize) -> usize {
        let matrix = column / self.columns;
        let column = column % self.columns;
        self.start + matrix * self.apart + row * self.by_row + column * self.by_column
    }

    /// Place of the bias of column `column`.
    pub fn bias(&self, column: usize) -> usize {
        self.b_start + column / self.columns * self.apart + column % self.columns
    }
}

/// The gradient by a product, from that by the value stored.
#[cube]
pub fn by_product(slopes: &[f32], dy: &[f32], at: usize, #[comptime] is_gelu: bool) -> f32 {
    if is_gelu { dy[at] * slopes[at] } else { dy[at] }
}

/// Stores one value of a product, after `then`.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn put(
    parameters: &[f32],
    to: &[f32],
    y: &mut [f32],
    slopes: &mut [f32],
    row: usize,
    column: usize,
    product: f32,
    weights: &Weights,
    #[comptime] then: Then,
    #[comptime] has_bias: bool,
) {
    let at = row * weights.width + column;
    let mut value = product;
    if has_bias {
        value += parameters[weights.bias(column)];
    }
    match then {
        Then::Nothing => y[at] = value,
        Then::Add => y[at] = to[at] + value,
        Then::Gelu => {
            let (value, slope) = gelu(value);
            y[at] = value;
            slopes[at] = slope;
        }
    }
}
