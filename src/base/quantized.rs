//! Matrices of 8 or 4 bits a number, and products with them.

mod tile;

use super::lanes::{LANES, Lanes, mul_add, wide};
use super::matrix::Matrix;
use super::numbers::Numbers;
use super::parallel::for_each;
use tile::{BLOCK, Int4, Int8, Tile};

/// Bits of a quantized number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    Eight,
    Four,
}

impl_names! { Bits: Eight = "int8", Four = "int4" }

/// A matrix `[rows, columns]` of which every column is cut into blocks of 32 numbers with one scale each. Zeros fill up
/// the last block of a column, and the columns to a multiple of 16.
#[derive(Debug)]
pub struct Quantized {
    rows: usize,
    columns: usize,
    tiles: Tiles,
}

/// Tiles from top to bottom, and strips of them from left to right.
#[derive(Debug)]
enum Tiles {
    Int8(Vec<Int8>),
    Int4(Vec<Int4>),
}

/// Numbers of a part that is worth a thread in a product of one row.
const PART: usize = 1 << 17;
/// Columns that are quantized, or widened for a product of several rows, at once.
const WIDE: usize = 4 * LANES;

impl Quantized {
    /// The levels that are nearest to `matrix`, which has rows of `columns` numbers; `None` if a number is not finite.
    ///
    /// # Panics
    /// If the last row is not whole.
    pub fn nearest(bits: Bits, matrix: Numbers, columns: usize) -> Option<Self> {
        let rows = matrix.len().checked_div(columns).unwrap_or(0);
        assert_eq!(matrix.len(), rows * columns, "whole rows of {columns}");
        if !matrix.is_finite() {
            return None;
        }
        let tiles = match bits {
            Bits::Eight => Tiles::Int8(quantize(matrix, rows, columns)),
            Bits::Four => Tiles::Int4(quantize(matrix, rows, columns)),
        };
        Some(Self { rows, columns, tiles })
    }

    /// Numbers of the matrix.
    pub fn len(&self) -> usize {
        self.rows * self.columns
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that it holds.
    pub fn bytes(&self) -> usize {
        match &self.tiles {
            Tiles::Int8(tiles) => size_of_val(tiles.as_slice()),
            Tiles::Int4(tiles) => size_of_val(tiles.as_slice()),
        }
    }

    /// Adds `x W` to `y`. Sums are in 32 bits; only the numbers of `W` are rounded.
    ///
    /// # Shapes
    /// `x`: `[seq, rows]`; `y`: `[seq, columns]`
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn add_product(&self, x: &[f32], y: &mut [f32]) {
        let seq = x.len().checked_div(self.rows).unwrap_or(0);
        assert_eq!((x.len(), y.len()), (seq * self.rows, seq * self.columns), "shapes that fit");
        match (&self.tiles, seq) {
            (Tiles::Int8(tiles), 1) => add_row(tiles, x, y),
            (Tiles::Int4(tiles), 1) => add_row(tiles, x, y),
            (Tiles::Int8(tiles), _) => add_rows(tiles, Matrix::new(x, self.rows), y, self.columns),
            (Tiles::Int4(tiles), _) => add_rows(tiles, Matrix::new(x, self.rows), y, self.columns),
        }
    }
}

/// Tiles of a matrix, on all cores.
fn quantize<T: Tile>(matrix: Numbers, rows: usize, columns: usize) -> Vec<T> {
    let height = rows.div_ceil(BLOCK);
    let empty = T::of_levels([0; LANES], &[[0; LANES]; BLOCK]);
    let mut tiles = vec![empty; height * columns.div_ceil(LANES)];
    for_each(tiles.chunks_mut((WIDE / LANES * height).max(1)).collect(), |part, tiles| {
        let (start, end) = (part * WIDE, columns.min((part + 1) * WIDE));
        for place in 0..height {
            let mut strips = [[[0.0; LANES]; BLOCK]; WIDE / LANES];
            for (line, row) in (place * BLOCK..rows.min((place + 1) * BLOCK)).enumerate() {
                let numbers = matrix.slice(row * columns + start..row * columns + end).widen();
                for (strip, numbers) in strips.iter_mut().zip(numbers.chunks(LANES)) {
                    strip[line][..numbers.len()].copy_from_slice(numbers);
                }
            }
            write_nearest(&strips, &mut tiles[place..], height);
        }
    });
    tiles
}

wide! {
    /// Writes the nearest tile of each of `strips` to `tiles`, where they are `height` apart.
    fn write_nearest<T: Tile>(strips: &[[Lanes; BLOCK]], tiles: &mut [T], height: usize) {
        for (numbers, tile) in strips.iter().zip(tiles.iter_mut().step_by(height)) {
            *tile = T::nearest(numbers);
        }
    }
}

/// Adds the product with the row `x` to `y`, a part of the columns on each core.
fn add_row<T: Tile>(tiles: &[T], x: &[f32], y: &mut [f32]) {
    let height = x.len().div_ceil(BLOCK);
    let mut blocks = vec![[0.0; BLOCK]; height];
    blocks.as_flattened_mut()[..x.len()].copy_from_slice(x);
    let lowered: Vec<f32> = blocks.iter().map(|x| -T::RAISED * x.iter().sum::<f32>()).collect();
    let width = (PART / x.len()).next_multiple_of(LANES);
    for_each(y.chunks_mut(width).collect(), |part, y| {
        add_strips(&tiles[part * width / LANES * height..], &blocks, &lowered, y);
    });
}

wide! {
    /// Adds the product of each column with the row `x` to `y`; `lowered` are the products with what levels are raised
    /// by, the same for all columns.
    fn add_strips<T: Tile>(tiles: &[T], x: &[[f32; BLOCK]], lowered: &[f32], y: &mut [f32]) {
        for (y, strip) in y.chunks_mut(LANES).zip(tiles.chunks_exact(x.len())) {
            let mut sums: Lanes = [0.0; LANES];
            for (tile, (x, lowered)) in strip.iter().zip(x.iter().zip(lowered)) {
                let (raised, scales) = (tile.raised_products::<FMA>(x), tile.scales());
                for l in 0..LANES {
                    sums[l] = mul_add::<FMA>(scales[l], raised[l] + lowered, sums[l]);
                }
            }
            y.iter_mut().zip(&sums).for_each(|(y, sum)| *y += sum);
        }
    }
}

/// Adds the product with several rows to `y`: they share the work of widening some columns at a time.
fn add_rows<T: Tile>(tiles: &[T], x: Matrix, y: &mut [f32], columns: usize) {
    let strips = columns.div_ceil(LANES);
    let height = tiles.len().checked_div(strips).unwrap_or(0);
    let strip: Vec<&[T]> = tiles.chunks(height.max(1)).collect();
    let parts: Vec<&[&[T]]> = strip.chunks(WIDE / LANES).collect();
    let mut products = vec![Vec::new(); parts.len()];
    for_each(products.iter_mut().zip(&parts).collect(), |_, (product, strips)| {
        let width = strips.len() * LANES;
        let mut widened = vec![0.0; height * BLOCK * width];
        for (place, strip) in strips.iter().enumerate() {
            widen(strip, &mut widened[place * LANES..], width);
        }
        *product = x.product(Matrix::new(&widened, width).rows(0..x.width()));
    });
    for (part, (product, strips)) in products.iter().zip(&parts).enumerate() {
        for (y, product) in y.chunks_mut(columns).zip(product.chunks(strips.len() * LANES)) {
            y[part * WIDE..].iter_mut().zip(product).for_each(|(y, product)| *y += product);
        }
    }
}

wide! {
    /// Writes the numbers of a strip to `to`, where rows begin `by_row` apart.
    fn widen<T: Tile>(strip: &[T], to: &mut [f32], by_row: usize) {
        for (place, tile) in strip.iter().enumerate() {
            tile.widen(&mut to[place * BLOCK * by_row..], by_row);
        }
    }
}
