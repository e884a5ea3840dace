//! Numbers of weights in any of the formats they are stored in, and products with them.

use std::borrow::Cow;
use std::ops::Range;

use super::matrix::{Matrix, add_row};
use super::stored::{Bf16, F16, F32, Format, Le32};

/// Numbers of one format.
#[derive(Clone, Copy, Debug)]
pub enum Numbers<'a> {
    F32(&'a [f32]),
    Le32(&'a [[u8; 4]]),
    F16(&'a [[u8; 2]]),
    Bf16(&'a [[u8; 2]]),
}

/// Formats of numbers in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    F32,
    F16,
    Bf16,
}

impl Encoding {
    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// Does something with the stored numbers, whatever their format.
macro_rules! with {
    ($numbers:expr, $format:ident, $stored:ident => $body:expr) => {
        match $numbers {
            Numbers::F32($stored) => {
                type $format = F32;
                $body
            }
            Numbers::Le32($stored) => {
                type $format = Le32;
                $body
            }
            Numbers::F16($stored) => {
                type $format = F16;
                $body
            }
            Numbers::Bf16($stored) => {
                type $format = Bf16;
                $body
            }
        }
    };
}

/// Numbers that are widened at once for a product of several rows.
const PART: usize = 1 << 22;
/// Fewest columns of such a part.
const PART_COLUMNS: usize = 1024;

impl<'a> Numbers<'a> {
    /// Numbers of a file. A last one that is not whole is left out.
    pub fn of_bytes(bytes: &'a [u8], encoding: Encoding) -> Self {
        match encoding {
            Encoding::F32 => Self::Le32(bytes.as_chunks().0),
            Encoding::F16 => Self::F16(bytes.as_chunks().0),
            Encoding::Bf16 => Self::Bf16(bytes.as_chunks().0),
        }
    }

    /// The format in a file.
    pub fn encoding(self) -> Encoding {
        match self {
            Self::F32(_) | Self::Le32(_) => Encoding::F32,
            Self::F16(_) => Encoding::F16,
            Self::Bf16(_) => Encoding::Bf16,
        }
    }

    /// The numbers as bytes of a file.
    pub fn to_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::F32(stored) => {
                let numbers: Vec<[u8; 4]> = stored.iter().map(|x| x.to_le_bytes()).collect();
                numbers.into_flattened().into()
            }
            Self::Le32(stored) => stored.as_flattened().into(),
            Self::F16(stored) | Self::Bf16(stored) => stored.as_flattened().into(),
        }
    }

    pub fn len(self) -> usize {
        with!(self, Any, stored => {
            let stored: &[<Any as Format>::Stored] = stored;
            stored.len()
        })
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// # Panics
    /// If there is none at `index`.
    pub fn get(self, index: usize) -> f32 {
        with!(self, Any, stored => Any::widen(stored[index]))
    }

    /// # Panics
    /// If there are fewer.
    pub fn slice(self, range: Range<usize>) -> Self {
        match self {
            Self::F32(stored) => Self::F32(&stored[range]),
            Self::Le32(stored) => Self::Le32(&stored[range]),
            Self::F16(stored) => Self::F16(&stored[range]),
            Self::Bf16(stored) => Self::Bf16(&stored[range]),
        }
    }

    pub fn is_finite(self) -> bool {
        with!(self, Any, stored => stored.iter().all(|x| Any::is_finite(*x)))
    }

    /// The numbers in 32 bits; copied, unless they are so in memory.
    pub fn widen(self) -> Cow<'a, [f32]> {
        match self {
            Self::F32(stored) => stored.into(),
            other => with!(other, Any, stored => stored.iter().map(|x| Any::widen(*x)).collect()),
        }
    }

    /// Rows of `width` numbers in 32 bits, one after the other.
    pub fn rows(self, width: usize) -> impl Iterator<Item = Cow<'a, [f32]>> {
        let starts = (0..self.len()).step_by(width.max(1));
        starts.map(move |start| self.slice(start..(start + width).min(self.len())).widen())
    }

    /// Adds `x W` to `y`, where `W` are these numbers in rows of `columns`: the same sums in the same order, whatever
    /// the format.
    ///
    /// # Shapes
    /// `x`: `[seq, rows]`; `y`: `[seq, columns]`
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn add_product(self, columns: usize, x: &[f32], y: &mut [f32]) {
        let rows = self.len() / columns;
        let x = Matrix::new(x, rows);
        if let Self::F32(stored) = self {
            return x.add_product(Matrix::new(stored, columns), y, columns);
        }
        if let Some(row) = x.single_row() {
            return with!(self, Any, stored => add_row::<Any>(row, stored, columns, y));
        }
        // Parts of about equal width: products of very few columns would be summed in another order.
        let widest = (PART / rows.max(1)).max(PART_COLUMNS);
        let width = columns.div_ceil(columns.div_ceil(widest).max(1)).max(1);
        for start in (0..columns).step_by(width) {
            let width = width.min(columns - start);
            let part =
                |row: usize| self.slice(row * columns + start..row * columns + start + width);
            let mut widened = Vec::with_capacity(rows * width);
            for row in 0..rows {
                with!(part(row), Any, stored => widened.extend(stored.iter().map(|x| Any::widen(*x))));
            }
            x.add_product(Matrix::new(&widened, width), &mut y[start..], columns);
        }
    }
}
