//! Products of matrices on the CPU.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::lanes::{mul_add, wide};
use super::parallel::for_each;
use super::stored::{F32, Format};

/// View of a matrix in a slice, with a stride for rows and one for columns.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// Distance in the slice to the next row, and to the next column.
    by_row: usize,
    by_column: usize,
}

/// Fewest products, and fewest rows, worth a thread: each thread reads all of the second matrix.
const PART: usize = 1 << 20;
const PART_ROWS: usize = 64;
/// Fewest columns of a core in a product with one row: narrower pieces of rows are read slower by two cores than by one.
#[cfg(feature = "cli")]
const SHARE: usize = 4096;

impl<'a> Matrix<'a> {
    /// Matrix of `values`, row after row.
    ///
    /// # Panics
    /// If `values` does not divide into whole rows.
    pub fn new(values: &'a [f32], columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        assert_eq!(values.len(), rows * columns, "whole rows of {columns}");
        Self { values, rows, columns, by_row: columns, by_column: 1 }
    }

    /// The only row, if there is one.
    pub(super) fn single_row(self) -> Option<&'a [f32]> {
        (self.rows == 1 && self.by_column == 1).then(|| &self.values[..self.columns])
    }

    /// Number of columns.
    #[cfg(feature = "cli")]
    pub(super) fn width(self) -> usize {
        self.columns
    }

    /// View of these rows.
    pub fn rows(self, rows: Range<usize>) -> Self {
        let values = &self.values[(rows.start * self.by_row).min(self.values.len())..];
        Self { values, rows: rows.len(), ..self }
    }

    /// View of these columns.
    pub fn columns(self, columns: Range<usize>) -> Self {
        self.transposed().rows(columns).transposed()
    }

    pub fn transposed(self) -> Self {
        let Self { values, rows, columns, by_row, by_column } = self;
        Self { values, rows: columns, columns: rows, by_row: by_column, by_column: by_row }
    }

    /// Adds the product with `other` to `to`, whose rows begin every `by_row` values.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn add_product(self, other: Matrix, to: &mut [f32], by_row: usize) {
        assert_eq!(self.columns, other.rows, "a column for every row");
        let row = self.single_row();
        if let Some(row) = row.filter(|_| other.by_column == 1) {
            return add_row::<F32>(row, other.values, other.by_row, &mut to[..other.columns]);
        }
        if row.is_some() && other.by_row == 1 {
            for (index, to) in to[..other.columns].iter_mut().enumerate() {
                let column = &other.values[index * other.by_column..][..other.rows];
                *to += self.values.iter().zip(column).map(|(a, b)| a * b).sum::<f32>();
            }
            return;
        }
        // SAFETY: the values of an initialized slice stay initialized, for products write only numbers.
        let to = unsafe { &mut *(std::ptr::from_mut(to) as *mut [MaybeUninit<f32>]) };
        self.in_parts(other, to, by_row, true);
    }

    /// The product with `other`, row after row.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn product(self, other: Matrix) -> Vec<f32> {
        assert_eq!(self.columns, other.rows, "a column for every row");
        let count = self.rows * other.columns;
        if self.columns == 0 {
            return vec![0.0; count];
        }
        let mut product = Vec::with_capacity(count);
        self.in_parts(other, &mut product.spare_capacity_mut()[..count], other.columns, false);
        // SAFETY: every value is a sum of at least one product, and was written.
        unsafe { product.set_len(count) };
        product
    }

    fn in_parts(self, other: Matrix, to: &mut [MaybeUninit<f32>], by_row: usize, adds: bool) {
        let rows = (PART / (other.rows * other.columns).max(1)).max(PART_ROWS);
        let parts = to.chunks_mut((rows * by_row).max(1)).collect();
        for_each(parts, |part, to| {
            let end = self.rows.min((part + 1) * rows);
            self.rows(end.min(part * rows)..end).write_part(other, to, by_row, adds);
        });
    }

    /// Writes the product to `to`, or adds it to what is initialized there.
    fn write_part(self, other: Matrix, to: &mut [MaybeUninit<f32>], by_row: usize, adds: bool) {
        let (rows, columns) = (self.rows, other.columns);
        assert!(self.fits() && other.fits(), "matrices within their slices");
        assert!(extent(rows, columns, by_row, 1) <= to.len() && columns <= by_row);
        // SAFETY: no row or column reaches beyond its slice, each value of `to` is written once, and read only where
        // the caller adds to it.
        unsafe {
            gemm::gemm(
                rows,
                columns,
                self.columns,
                to.as_mut_ptr().cast(),
                1,
                by_row as isize,
                adds,
                self.values.as_ptr(),
                self.by_column as isize,
                self.by_row as isize,
                other.values.as_ptr(),
                other.by_column as isize,
                other.by_row as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }

    fn fits(&self) -> bool {
        extent(self.rows, self.columns, self.by_row, self.by_column) <= self.values.len()
    }
}

/// Number of values in the slice from the first to the last.
fn extent(rows: usize, columns: usize, by_row: usize, by_column: usize) -> usize {
    if rows * columns == 0 { 0 } else { (rows - 1) * by_row + (columns - 1) * by_column + 1 }
}

/// Adds `x W` to `y`, where rows of `w` begin `by_row` apart. Natively every core takes some of the columns, whose sums
/// are the same in any number of parts.
pub(super) fn add_row<F: Format>(x: &[f32], w: &[F::Stored], by_row: usize, y: &mut [f32]) {
    #[cfg(feature = "cli")]
    if y.len() >= 2 * SHARE {
        let width = y.len().div_ceil(super::parallel::cores()).max(SHARE);
        return for_each(y.chunks_mut(width).collect(), |part, y| {
            combine::<F>(x, &w[part * width..], by_row, y);
        });
    }
    combine::<F>(x, w, by_row, y);
}

wide! {
    /// Adds `x W` to `y`, on one core.
    fn combine<F: Format>(x: &[f32], w: &[F::Stored], by_row: usize, y: &mut [f32]) {
        for (index, x) in x.iter().enumerate() {
            for (y, w) in y.iter_mut().zip(&w[index * by_row..]) {
                *y = mul_add::<FMA>(*x, F::widen(*w), *y);
            }
        }
    }
}
