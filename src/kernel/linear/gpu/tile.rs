//! Large products, in tiles: a group of units computes one, from strips of the two factors that it
//! holds in shared memory (Volkov & Demmel 2008).

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::then::Then;
use super::weights::{Weights, by_product, put};
use crate::kernel::gpu::UNITS;

/// Units along each side of a tile.
const SIDE: usize = 16;

/// Terms of each sum that are in shared memory at a time.
const TERMS: usize = 16;

/// Tile, by the rows and as many columns of it that a unit computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    own: usize,
}

impl Tile {
    /// The tile of a product `[rows, columns]`: as large as leaves a GPU with enough of them. There are
    /// three, for every one is a kernel to compile.
    pub fn of(rows: usize, columns: usize) -> Self {
        /// Tiles that keep a large GPU busy.
        const ENOUGH: usize = 64;
        let is_fit =
            |tile: &Self| tile.side() <= rows.min(columns) && tile.count(rows, columns) >= ENOUGH;
        [4, 2].map(|own| Self { own }).into_iter().find(is_fit).unwrap_or(Self { own: 1 })
    }

    /// Tiles of a product `[rows, columns]`.
    pub fn count(self, rows: usize, columns: usize) -> usize {
        rows.div_ceil(self.side()) * columns.div_ceil(self.side())
    }

    fn side(self) -> usize {
        self.own * SIDE
    }

    /// Numbers of each factor that are in shared memory at a time.
    pub fn strip(self) -> usize {
        TERMS * self.side()
    }
}

/// First row that this unit computes, or its first column.
#[cube]
fn own_row(first: usize, #[comptime] tile: Tile) -> usize {
    first + UNIT_POS as usize / SIDE * tile.own
}

#[cube]
fn own_column(first: usize, #[comptime] tile: Tile) -> usize {
    first + UNIT_POS as usize % SIDE * tile.own
}

/// Adds the products of the strips that are in shared memory: `[term, row]` by `[term, column]`.
#[cube]
fn add_products(
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    sums: &mut Array<f32>,
    #[comptime] tile: Tile,
) {
    sync_cube();
    let row = own_row(0, tile);
    let column = own_column(0, tile);
    let mut factors = Array::<f32>::new(tile.own);
    for term in 0..TERMS {
        #[unroll]
        for j in 0..tile.own {
            factors[j] = right[term * comptime![tile.side()] + column + j];
        }
        #[unroll]
        for i in 0..tile.own {
            let factor = left[term * comptime![tile.side()] + row + i];
            #[unroll]
            for j in 0..tile.own {
                sums[i * tile.own + j] += factor * factors[j];
            }
        }
    }
    sync_cube();
}

#[cube]
fn zeros(#[comptime] tile: Tile) -> Array<f32> {
    let mut sums = Array::<f32>::new(tile.own * tile.own);
    #[unroll]
    for i in 0..tile.own * tile.own {
        sums[i] = 0.0;
    }
    sums
}

/// A tile of `x W + b`, and `then` of it.
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
    #[comptime] tile: Tile,
    #[comptime] then: Then,
    #[comptime] has_bias: bool,
) {
    let mut left = Shared::<[f32]>::new_slice(tile.strip());
    let mut right = Shared::<[f32]>::new_slice(tile.strip());
    let side = comptime![tile.side()];
    let across = weights.width.div_ceil(side);
    let first_row = CUBE_POS / across * side;
    let first_column = CUBE_POS % across * side;
    let mut sums = zeros(tile);
    for first in range_stepped(0usize, weights.rows, TERMS) {
        for at in range_stepped(UNIT_POS as usize, comptime![tile.strip()], UNITS) {
            let row = first_row + at / TERMS;
            let term = first + at % TERMS;
            let mut value = 0.0f32;
            if row < tokens && term < weights.rows {
                value = x[row * weights.rows + term];
            }
            left[at % TERMS * side + at / TERMS] = value;
            let term = first + at / side;
            let column = first_column + at % side;
            let mut value = 0.0f32;
            if term < weights.rows && column < weights.width {
                value = parameters[weights.place(term, column)];
            }
            right[at] = value;
        }
        add_products(&mut left, &mut right, &mut sums, tile);
    }
    let row = own_row(first_row, tile);
    let column = own_column(first_column, tile);
    #[unroll]
    for i in 0..tile.own {
        #[unroll]
        for j in 0..tile.own {
            if row + i < tokens && column + j < weights.width {
                let value = sums[i * tile.own + j];
                put(parameters, to, y, slopes, row + i, column + j, value, weights, then, has_bias);
            }
        }
    }
}

/// A tile of the gradient by the tokens: `dy Wᵀ`.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn by_tokens(
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    parameters: &[f32],
    slopes: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    tokens: usize,
    weights: &Weights,
    #[comptime] tile: Tile,
    #[comptime] is_gelu: bool,
) {
    let side = comptime![tile.side()];
    let across = weights.rows.div_ceil(side);
    let first_row = CUBE_POS / across * side;
    let first_column = CUBE_POS % across * side;
    let mut sums = zeros(tile);
    for first in range_stepped(0usize, weights.width, TERMS) {
        for at in range_stepped(UNIT_POS as usize, comptime![tile.strip()], UNITS) {
            let term = first + at % TERMS;
            let place = at % TERMS * side + at / TERMS;
            let row = first_row + at / TERMS;
            let mut value = 0.0f32;
            if row < tokens && term < weights.width {
                value = by_product(slopes, dy, row * weights.width + term, is_gelu);
            }
            left[place] = value;
            let column = first_column + at / TERMS;
            let mut value = 0.0f32;
            if term < weights.width && column < weights.rows {
                value = parameters[weights.place(column, term)];
            }
            right[place] = value;
        }
        add_products(left, right, &mut sums, tile);
    }
    let row = own_row(first_row, tile);
    let column = own_column(first_column, tile);
    #[unroll]
    for i in 0..tile.own {
        #[unroll]
        for j in 0..tile.own {
            if row + i < tokens && column + j < weights.rows {
                dx[(row + i) * weights.rows + column + j] = sums[i * tile.own + j];
            }
        }
    }
}

/// Tile `number` of the gradient by the weights: `xᵀ dy`, and below it the bias's.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn by_weights(
    left: &mut Shared<[f32]>,
    right: &mut Shared<[f32]>,
    x: &[f32],
    slopes: &[f32],
    dy: &[f32],
    by_parameters: &mut [f32],
    tokens: usize,
    number: usize,
    weights: &Weights,
    #[comptime] tile: Tile,
    #[comptime] is_gelu: bool,
    #[comptime] has_bias: bool,
) {
    let side = comptime![tile.side()];
    let across = weights.width.div_ceil(side);
    let first_row = number / across * side;
    let first_column = number % across * side;
    let mut sums = zeros(tile);
    for first in range_stepped(0usize, tokens, TERMS) {
        for at in range_stepped(UNIT_POS as usize, comptime![tile.strip()], UNITS) {
            let term = first + at / side;
            let row = first_row + at % side;
            let mut value = 0.0f32;
            if term < tokens {
                if row < weights.rows {
                    value = x[term * weights.rows + row];
                } else if has_bias {
                    value = 1.0f32;
                }
            }
            left[at] = value;
            let column = first_column + at % side;
            let mut value = 0.0f32;
            if term < tokens && column < weights.width {
                value = by_product(slopes, dy, term * weights.width + column, is_gelu);
            }
            right[at] = value;
        }
        add_products(left, right, &mut sums, tile);
    }
    let row = own_row(first_row, tile);
    let column = own_column(first_column, tile);
    #[unroll]
    for i in 0..tile.own {
        #[unroll]
        for j in 0..tile.own {
            if column + j < weights.width {
                let sum = sums[i * tile.own + j];
                if row + i < weights.rows {
                    by_parameters[weights.place(row + i, column + j)] += sum;
                } else if has_bias && row + i == weights.rows {
                    by_parameters[weights.bias(column + j)] += sum;
                }
            }
        }
    }
}
