//! Attention on the CPU, a row of a batch and a head at a time.
//!
//! No pattern is stored: the backward pass computes it again from the sum of each row (Dao et al.
//! 2022), of the lower triangle alone.

use std::f32::consts::LOG2_E;

use super::HIDDEN;
use super::backward::Backward;
use super::forward::Forward;
use crate::kernel::dropout::Dropout;
use crate::kernel::lanes::{LANES, Lanes};
use crate::platform::for_each;

/// The score of a key after its query. Below [`HIDDEN`], so that it is never the greatest.
const MASKED: f32 = -1e30;

/// The shape of one row of a batch: queries, keys and values are `[seq, 3, head, d_head]`, what
/// comes of them is `[seq, head, d_head]`.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    pub seq: usize,
    pub n_heads: usize,
    pub d_head: usize,
}

impl Heads {
    pub fn d_model(self) -> usize {
        self.n_heads * self.d_head
    }

    /// What makes scores powers of 2.
    pub fn scale(self) -> f32 {
        LOG2_E / (self.d_head as f32).sqrt()
    }

    /// Values a token has of queries, keys and values.
    pub fn width(self) -> usize {
        3 * self.d_model()
    }

    /// Where one head's queries, keys or values stand in a token.
    pub fn columns(self, of: Of, head: usize) -> Columns {
        Columns { width: self.width(), start: of as usize * self.d_model() + head * self.d_head }
    }

    /// Where one head's output stands in a token.
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

/// What of a head.
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

/// What attention gave, and the gradient by it.
#[derive(Clone, Copy)]
pub struct Outputs<'a> {
    /// `[seq, head, d_head]`
    pub z: &'a [f32],
    /// As `z`.
    pub dz: &'a [f32],
    /// `[head, seq]`: to base 2, the logarithm of the sum of every query's `e^score`.
    pub log_sums: &'a [f32],
}

/// What is added to the scores of every key: `[key]`, padded to whole lanes.
fn added(heads: Heads, hidden: Option<&[bool]>) -> Vec<Lanes> {
    let mut added = vec![[0.0; LANES]; heads.seq.div_ceil(LANES)];
    for (key, hidden) in hidden.unwrap_or_default().iter().enumerate() {
        added[key / LANES][key % LANES] = if *hidden { HIDDEN } else { 0.0 };
    }
    added
}

/// `z` and the `log_sums` of a whole batch, from its queries, keys and values; `hidden`:
/// `[batch, key]`.
pub fn forward(
    heads: Heads,
    qkv: &[f32],
    hidden: Option<&[bool]>,
    dropout: Dropout,
) -> (Vec<f32>, Vec<f32>) {
    let size = heads.seq * heads.d_model();
    let mut z = vec![0.0; qkv.len() / 3];
    let mut log_sums = vec![0.0; z.len() / heads.d_head];
    let rows = z.chunks_exact_mut(size).zip(log_sums.chunks_exact_mut(size / heads.d_head));
    for_each(rows.collect(), |row, (z, log_sums)| {
        let qkv = part(qkv, row, 3 * size);
        let added = added(heads, hidden.map(|hidden| part(hidden, row, heads.seq)));
        let mut scratch = Forward::new(heads);
        for (head, log_sums) in log_sums.chunks_exact_mut(heads.seq).enumerate() {
            let dropped = Dropped::new(dropout, heads, row * heads.n_heads + head);
            scratch.load(heads, head, qkv, dropped);
            scratch.compute(heads, head, qkv, &added, z, log_sums);
        }
    });
    (z, log_sums)
}

/// The gradient by the queries, keys and values of a whole batch, from that by `z`.
pub fn backward(
    heads: Heads,
    qkv: &[f32],
    hidden: Option<&[bool]>,
    dropout: Dropout,
    outputs: Outputs,
) -> Vec<f32> {
    let size = heads.seq * heads.d_model();
    let mut gradient = vec![0.0; qkv.len()];
    for_each(gradient.chunks_exact_mut(3 * size).collect(), |row, gradient| {
        let outputs = Outputs {
            z: part(outputs.z, row, size),
            dz: part(outputs.dz, row, size),
            log_sums: part(outputs.log_sums, row, size / heads.d_head),
        };
        let added = added(heads, hidden.map(|hidden| part(hidden, row, heads.seq)));
        let mut scratch = Backward::new(heads);
        for head in 0..heads.n_heads {
            scratch.load(heads, head, part(qkv, row, 3 * size), outputs);
            let dropped = Dropped::new(dropout, heads, row * heads.n_heads + head);
            scratch.compute(heads, &added, dropped);
            scratch.store(heads, head, gradient);
        }
    });
    gradient
}

/// What is dropped of one head's pattern.
#[derive(Clone, Copy)]
pub struct Dropped {
    dropout: Dropout,
    first: usize,
    seq: usize,
}

impl Dropped {
    /// `None` if nothing is; `number` counts the heads of all rows.
    fn new(dropout: Dropout, heads: Heads, number: usize) -> Option<Self> {
        let seq = heads.seq;
        (!dropout.is_none()).then_some(Self { dropout, first: number * seq * seq, seq })
    }

    pub fn factor(self, query: usize, key: usize) -> f32 {
        self.dropout.factor((self.first + query * self.seq + key) as u32)
    }
}

/// Takes the scores out whose lane is of a key after its query.
#[inline(always)]
pub fn mask(scores: &mut Lanes, is_after: impl Fn(usize) -> bool) {
    for (l, score) in scores.iter_mut().enumerate() {
        if is_after(l) {
            *score = MASKED;
        }
    }
}

fn part<T>(x: &[T], index: usize, size: usize) -> &[T] {
    &x[index * size..][..size]
}
