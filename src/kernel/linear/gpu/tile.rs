//! One tile of a product.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::Then;
use crate::kernel::gelu::gpu::{gelu, gelu_slope};
use crate::kernel::gpu::UNITS;

/// Units along each side of a tile.
const SIDE: usize = 16;

/// What a unit computes: `down` rows of a tile by `across` columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    down: usize,
    across: usize,
}

impl Tile {
    /// For a product `[rows, columns]`: as large as leaves a GPU with enough of them.
    pub fn of(rows: usize, columns: usize) -> Self {
        /// Tiles that keep a large GPU busy.
        const ENOUGH: usize = 64;
        let side = |length: usize| match length {
            0..=16 => 1,
            17..=32 => 2,
            _ => 4,
        };
        let mut tile = Self { down: side(rows), across: side(columns) };
        while tile.count(rows, columns) < ENOUGH && tile.down.max(tile.across) > 1 {
            if tile.down >= tile.across { tile.down /= 2 } else { tile.across /= 2 }
        }
        tile
    }

    /// Tiles of a product `[rows, columns]`.
    pub fn count(self, rows: usize, columns: usize) -> usize {
        rows.div_ceil(self.rows()) * columns.div_ceil(self.columns())
    }

    fn rows(self) -> usize {
        self.down * SIDE
    }

    fn columns(self) -> usize {
        self.across * SIDE
    }

    /// Terms of each sum that are in shared memory at a time: 4 KiB of the longer factor.
    fn terms(self) -> usize {
        1024 / self.rows().max(self.columns())
    }
}

/// Where weights lie.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub struct Weights {
    start: usize,
    apart: usize,
    b_start: usize,
    by_row: usize,
    by_column: usize,
    #[cube(comptime)]
    rows: usize,
    #[cube(comptime)]
    columns: usize,
    #[cube(comptime)]
    matrices: usize,
}

#[cube]
impl Weights {
    pub fn width(&self) -> usize {
        comptime![self.columns * self.matrices].runtime()
    }

    /// Place of what multiplies value `row` of a token in column `column` of its product.
    fn place(&self, row: usize, column: usize) -> usize {
        let matrix = column / self.columns;
        let column = column % self.columns;
        self.start + matrix * self.apart + row * self.by_row + column * self.by_column
    }

    fn bias(&self, column: usize) -> usize {
        self.b_start + column / self.columns * self.apart + column % self.columns
    }
}

/// The gradient by a product, from that by what became of it.
#[cube]
fn by_product(before: &[f32], dy: &[f32], at: usize, #[comptime] is_gelu: bool) -> f32 {
    if is_gelu { dy[at] * gelu_slope(before[at]) } else { dy[at] }
}

/// Adds the products of the strips that are in shared memory: `[term, row]` by `[term, column]`.
#[cube]
fn add_products(
    left: &Shared<[f32]>,
    right: &Shared<[f32]>,
    sums: &mut Array<f32>,
    #[comptime] tile: Tile,
) {
    let down = UNIT_POS as usize / SIDE * tile.down;
    let across = UNIT_POS as usize % SIDE * tile.across;
    let mut factors = Array::<f32>::new(tile.across);
    for term in 0..comptime![tile.terms()] {
        #[unroll]
        for j in 0..tile.across {
            factors[j] = right[term * comptime![tile.columns()] + across + j];
        }
        #[unroll]
        for i in 0..tile.down {
            let factor = left[term * comptime![tile.rows()] + down + i];
            #[unroll]
            for j in 0..tile.across {
                sums[i * tile.across + j] += factor * factors[j];
            }
        }
    }
}

#[cube]
fn zeros(#[comptime] tile: Tile) -> Array<f32> {
    let mut sums = Array::<f32>::new(tile.down * tile.across);
    #[unroll]
    for i in 0..tile.down * tile.across {
        sums[i] = 0.0;
    }
    sums
}

/// A tile of `x W + b`, and of what is done to it.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn product(
    x: &[f32],
    parameters: &[f32],
    to: &[f32],
    y: &mut [f32],
    before: &mut [f32],
    tokens: usize,
    width: usize,
    weights: &Weights,
    #[comptime] tile: Tile,
    #[comptime] then: Then,
    #[comptime] has_bias: bool,
) {
    let mut left = Shared::<[f32]>::new_slice(tile.terms() * tile.rows());
    let mut right = Shared::<[f32]>::new_slice(tile.terms() * tile.columns());
    let across = comptime![(weights.columns * weights.matrices).div_ceil(tile.columns())];
    let first_row = CUBE_POS / across * comptime![tile.rows()];
    let first_column = CUBE_POS % across * comptime![tile.columns()];
    let terms = comptime![tile.terms()];
    let mut sums = zeros(tile);
    for strip in 0..comptime![weights.rows.div_ceil(tile.terms())] {
        let first = strip * terms;
        for at in range_stepped(UNIT_POS as usize, comptime![tile.terms() * tile.rows()], UNITS) {
            let (row, term) = (at / terms, at % terms);
            let is_there = first_row + row < tokens && first + term < weights.rows;
            let mut value = 0.0f32;
            if is_there {
                value = x[(first_row + row) * weights.rows + first + term];
            }
            left[term * comptime![tile.rows()] + row] = value;
        }
        for at in range_stepped(UNIT_POS as usize, comptime![tile.terms() * tile.columns()], UNITS)
        {
            let (term, column) = (at / comptime![tile.columns()], at % comptime![tile.columns()]);
            let is_there = first + term < weights.rows && first_column + column < width;
            let mut value = 0.0f32;
            if is_there {
                value = parameters[weights.place(first + term, first_column + column)];
            }
            right[at] = value;
        }
        sync_cube();
        add_products(&left, &right, &mut sums, tile);
        sync_cube();
    }
    let row = first_row + UNIT_POS as usize / SIDE * tile.down;
    let column = first_column + UNIT_POS as usize % SIDE * tile.across;
    #[unroll]
    for i in 0..tile.down {
        #[unroll]
        for j in 0..tile.across {
            if row + i < tokens && column + j < width {
                let at = (row + i) * width + column + j;
                let mut value = sums[i * tile.across + j];
                if has_bias {
                    value += parameters[weights.bias(column + j)];
                }
                match then {
                    Then::Nothing => y[at] = value,
                    Then::Add => y[at] = to[at] + value,
                    Then::Gelu => {
                        before[at] = value;
                        y[at] = gelu(value);
                    }
                }
            }
        }
    }
}

/// A tile of the gradient by the tokens: `dy Wᵀ`.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn by_tokens(
    parameters: &[f32],
    before: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    tokens: usize,
    weights: &Weights,
    #[comptime] tile: Tile,
    #[comptime] is_gelu: bool,
) {
    let width = comptime![weights.columns * weights.matrices];
    let mut left = Shared::<[f32]>::new_slice(tile.terms() * tile.rows());
    let mut right = Shared::<[f32]>::new_slice(tile.terms() * tile.columns());
    let across = comptime![weights.rows.div_ceil(tile.columns())];
    let first_row = CUBE_POS / across * comptime![tile.rows()];
    let first_column = CUBE_POS % across * comptime![tile.columns()];
    let terms = comptime![tile.terms()];
    let mut sums = zeros(tile);
    for strip in 0..comptime![width.div_ceil(tile.terms())] {
        let first = strip * terms;
        for at in range_stepped(UNIT_POS as usize, comptime![tile.terms() * tile.rows()], UNITS) {
            let (row, term) = (at / terms, at % terms);
            let mut value = 0.0f32;
            if first_row + row < tokens && first + term < width {
                value = by_product(before, dy, (first_row + row) * width + first + term, is_gelu);
            }
            left[term * comptime![tile.rows()] + row] = value;
        }
        for at in range_stepped(UNIT_POS as usize, comptime![tile.terms() * tile.columns()], UNITS)
        {
            let (column, term) = (at / terms, at % terms);
            let mut value = 0.0f32;
            if first + term < width && first_column + column < weights.rows {
                value = parameters[weights.place(first_column + column, first + term)];
            }
            right[term * comptime![tile.columns()] + column] = value;
        }
        sync_cube();
        add_products(&left, &right, &mut sums, tile);
        sync_cube();
    }
    let row = first_row + UNIT_POS as usize / SIDE * tile.down;
    let column = first_column + UNIT_POS as usize % SIDE * tile.across;
    #[unroll]
    for i in 0..tile.down {
        #[unroll]
        for j in 0..tile.across {
            if row + i < tokens && column + j < weights.rows {
                dx[(row + i) * weights.rows + column + j] = sums[i * tile.across + j];
            }
        }
    }
}

/// A tile of the gradient by the weights: `xᵀ dy`, and below it the bias's.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn by_weights(
    x: &[f32],
    before: &[f32],
    dy: &[f32],
    by_parameters: &mut [f32],
    tokens: usize,
    number: usize,
    weights: &Weights,
    #[comptime] tile: Tile,
    #[comptime] is_gelu: bool,
    #[comptime] has_bias: bool,
) {
    let width = comptime![weights.columns * weights.matrices];
    let rows = comptime![if has_bias { weights.rows + 1 } else { weights.rows }];
    let mut left = Shared::<[f32]>::new_slice(tile.terms() * tile.rows());
    let mut right = Shared::<[f32]>::new_slice(tile.terms() * tile.columns());
    let across = comptime![width.div_ceil(tile.columns())];
    let first_row = number / across * comptime![tile.rows()];
    let first_column = number % across * comptime![tile.columns()];
    let terms = comptime![tile.terms()];
    let mut sums = zeros(tile);
    for strip in 0..tokens.div_ceil(terms) {
        let first = strip * terms;
        for at in range_stepped(UNIT_POS as usize, comptime![tile.terms() * tile.rows()], UNITS) {
            let (term, row) = (at / comptime![tile.rows()], at % comptime![tile.rows()]);
            let mut value = 0.0f32;
            if first + term < tokens {
                if first_row + row < weights.rows {
                    value = x[(first + term) * weights.rows + first_row + row];
                } else if has_bias {
                    value = 1.0f32;
                }
            }
            left[at] = value;
        }
        for at in range_stepped(UNIT_POS as usize, comptime![tile.terms() * tile.columns()], UNITS)
        {
            let (term, column) = (at / comptime![tile.columns()], at % comptime![tile.columns()]);
            let mut value = 0.0f32;
            if first + term < tokens && first_column + column < width {
                value =
                    by_product(before, dy, (first + term) * width + first_column + column, is_gelu);
            }
            right[at] = value;
        }
        sync_cube();
        add_products(&left, &right, &mut sums, tile);
        sync_cube();
    }
    let row = first_row + UNIT_POS as usize / SIDE * tile.down;
    let column = first_column + UNIT_POS as usize % SIDE * tile.across;
    #[unroll]
    for i in 0..tile.down {
        #[unroll]
        for j in 0..tile.across {
            if row + i < rows && column + j < width {
                if has_bias && row + i == weights.rows {
                    by_parameters[weights.bias(column + j)] += sums[i * tile.across + j];
                } else {
                    by_parameters[weights.place(row + i, column + j)] += sums[i * tile.across + j];
                }
            }
        }
    }
}
