//! Products of matrices on the CPU.

use std::ops::Range;

use crate::kernel::lanes::{mul_add, wide};
use crate::platform::for_each;

/// Numbers by row and column, somewhere in a slice.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// From a value to the one below it, and to the one beside it.
    by_row: usize,
    by_column: usize,
}

/// Products that are worth a thread's while, and rows: a thread reads all of the second matrix.
const PART: usize = 1 << 20;
const PART_ROWS: usize = 64;

impl<'a> Matrix<'a> {
    /// `values`, row after row.
    ///
    /// # Panics
    /// If they are not whole rows.
    pub fn new(values: &'a [f32], columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        assert_eq!(values.len(), rows * columns, "whole rows of {columns}");
        Self { values, rows, columns, by_row: columns, by_column: 1 }
    }

    /// These rows alone.
    pub fn rows(self, rows: Range<usize>) -> Self {
        let values = &self.values[(rows.start * self.by_row).min(self.values.len())..];
        Self { values, rows: rows.len(), ..self }
    }

    /// These columns alone.
    pub fn columns(self, columns: Range<usize>) -> Self {
        self.transposed().rows(columns).transposed()
    }

    pub fn transposed(self) -> Self {
        let Self { values, rows, columns, by_row, by_column } = self;
        Self { values, rows: columns, columns: rows, by_row: by_column, by_column: by_row }
    }

    /// Adds the product with `other` to `to`, where a row begins every `by_row` values.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn add_product(self, other: Matrix, to: &mut [f32], by_row: usize) {
        assert_eq!(self.columns, other.rows, "a column for every row");
        let is_row = self.rows == 1 && self.by_column == 1;
        if is_row && other.by_column == 1 {
            let columns = other.columns;
            return combine(
                &self.values[..self.columns],
                other.values,
                other.by_row,
                &mut to[..columns],
            );
        }
        if is_row && other.by_row == 1 {
            for (to, column) in
                to[..other.columns].iter_mut().zip(other.values.chunks(other.by_column))
            {
                *to +=
                    self.values.iter().zip(&column[..other.rows]).map(|(a, b)| a * b).sum::<f32>();
            }
            return;
        }
        let rows = (PART / (other.rows * other.columns).max(1)).max(PART_ROWS);
        let parts = to.chunks_mut((rows * by_row).max(1)).collect();
        for_each(parts, |part, to| {
            let end = self.rows.min((part + 1) * rows);
            self.rows(end.min(part * rows)..end).add_part(other, to, by_row);
        });
    }

    fn add_part(self, other: Matrix, to: &mut [f32], by_row: usize) {
        let (rows, columns) = (self.rows, other.columns);
        assert!(self.fits() && other.fits(), "matrices within their slices");
        assert!(extent(rows, columns, by_row, 1) <= to.len() && columns <= by_row);
        // SAFETY: no row or column leads beyond its slice, and no value of `to` is written twice.
        unsafe {
            gemm::gemm(
                rows,
                columns,
                self.columns,
                to.as_mut_ptr(),
                1,
                by_row as isize,
                true,
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

/// Values from the first to the last.
fn extent(rows: usize, columns: usize, by_row: usize, by_column: usize) -> usize {
    if rows * columns == 0 { 0 } else { (rows - 1) * by_row + (columns - 1) * by_column + 1 }
}

wide! {
    /// Adds to `y` the rows of `w`, which begin `by_row` apart, each times its `x`.
    fn combine(x: &[f32], w: &[f32], by_row: usize, y: &mut [f32]) {
        for (x, row) in x.iter().zip(w.chunks(by_row)) {
            for (y, w) in y.iter_mut().zip(row) {
                *y = mul_add::<FMA>(*x, *w, *y);
            }
        }
    }
}
