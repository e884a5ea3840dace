//! Heads of one row of a batch: where their queries, keys, values and outputs lie.

use std::f32::consts::LOG2_E;

/// The shape of one row of a batch: queries, keys and values are `[seq, 3, head, d_head]`, what
/// comes of them is `[seq, head, d_head]`.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    pub seq: usize,
    /// Keys that a query sees, its own among them: 1 to `seq`.
    pub window: usize,
    pub n_heads: usize,
    pub d_head: usize,
}

impl Heads {
    pub fn d_model(self) -> usize {
        self.n_heads * self.d_head
    }

    /// Factor that makes scores powers of 2.
    pub fn scale(self) -> f32 {
        LOG2_E / (self.d_head as f32).sqrt()
    }

    /// Values a token has of queries, keys and values.
    pub fn width(self) -> usize {
        3 * self.d_model()
    }

    /// Columns of one head's queries, keys or values in a token.
    pub fn columns(self, of: Of, head: usize) -> Columns {
        Columns { width: self.width(), start: of as usize * self.d_model() + head * self.d_head }
    }

    /// Columns of one head's output in a token.
    pub fn output(self, head: usize) -> Columns {
        Columns { width: self.d_model(), start: head * self.d_head }
    }

    /// `[seq, d_head]` of `x`.
    pub fn rows(self, x: &[f32], columns: Columns) -> impl Iterator<Item = &[f32]> {
        x.chunks_exact(columns.width).map(move |row| &row[columns.start..][..self.d_head])
    }

    pub fn rows_mut(self, x: &mut [f32], columns: Columns) -> impl Iterator<Item = &mut [f32]> {
        let range = columns.start..columns.start + self.d_head;
        x.chunks_exact_mut(columns.width).map(move |row| &mut row[range.clone()])
    }

    /// `[seq, d_head]` of `x`, scaled, one row after the other.
    pub fn copy_rows(self, x: &[f32], columns: Columns, scale: f32, to: &mut [f32]) {
        for (to, from) in to.chunks_exact_mut(self.d_head).zip(self.rows(x, columns)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from * scale);
        }
    }
}

/// Queries, keys or values of a head.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    Queries,
    Keys,
    Values,
}

/// The columns of one head among all of a token.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    width: usize,
    start: usize,
}

/// Output of attention, and the gradient by it.
#[derive(Clone, Copy)]
pub struct Outputs<'a> {
    /// `[seq, head, d_head]`
    pub z: &'a [f32],
    /// The gradient, shaped as `z`.
    pub dz: &'a [f32],
    /// `[head, seq]`: to base 2, the logarithm of the sum of every query's `e^score`.
    pub log_sums: &'a [f32],
}
