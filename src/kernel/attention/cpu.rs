//! Attention on the CPU, a row of a batch and a head at a time.
//!
//! No pattern is stored: the backward pass computes it again from the sum of each row (Dao et al.
//! 2022), of the lower triangle alone.

use std::f32::consts::LOG2_E;

use super::HIDDEN;
use super::backward::Backward;
use super::forward::Forward;
use crate::kernel::lanes::{LANES, Lanes};
use crate::platform::for_each;

/// The score of a key after its query. Below [`HIDDEN`], so that it is never the greatest.
const MASKED: f32 = -1e30;

/// The shape of one row of a batch; what it attends with is `[seq, head, d_head]`.
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

    /// The rows of one head, `[seq, d_head]`.
    pub fn rows(self, x: &[f32], head: usize) -> impl Iterator<Item = &[f32]> {
        x.chunks_exact(self.d_model()).map(move |row| &row[head * self.d_head..][..self.d_head])
    }

    pub fn rows_mut(self, x: &mut [f32], head: usize) -> impl Iterator<Item = &mut [f32]> {
        let columns = head * self.d_head..(head + 1) * self.d_head;
        x.chunks_exact_mut(self.d_model()).map(move |row| &mut row[columns.clone()])
    }

    /// The rows of one head, scaled, one after the other.
    pub fn copy_rows(self, x: &[f32], head: usize, scale: f32, to: &mut [f32]) {
        for (to, from) in to.chunks_exact_mut(self.d_head).zip(self.rows(x, head)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from * scale);
        }
    }
}

/// Queries, keys and values, `[seq, head, d_head]` of a batch or of a row of it.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub q: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
}

/// What attention gave, and the gradient by it.
#[derive(Clone, Copy)]
pub struct Outputs<'a> {
    /// Of the shape of the queries.
    pub z: &'a [f32],
    /// As `z`.
    pub dz: &'a [f32],
    /// `[head, seq]`: to base 2, the logarithm of the sum of every query's `e^score`.
    pub log_sums: &'a [f32],
}

/// The gradient by [`Inputs`].
pub struct Gradients<'a> {
    pub q: &'a mut [f32],
    pub k: &'a mut [f32],
    pub v: &'a mut [f32],
}

/// What is added to the scores of every key: `[key]`, padded to whole lanes.
fn added(heads: Heads, hidden: Option<&[bool]>) -> Vec<Lanes> {
    let mut added = vec![[0.0; LANES]; heads.seq.div_ceil(LANES)];
    for (key, hidden) in hidden.unwrap_or_default().iter().enumerate() {
        added[key / LANES][key % LANES] = if *hidden { HIDDEN } else { 0.0 };
    }
    added
}

/// `z` and the `log_sums` of a whole batch; `hidden`: `[batch, key]`.
pub fn forward(heads: Heads, inputs: Inputs, hidden: Option<&[bool]>) -> (Vec<f32>, Vec<f32>) {
    let size = heads.seq * heads.d_model();
    let mut z = vec![0.0; inputs.q.len()];
    let mut log_sums = vec![0.0; z.len() / heads.d_head];
    let rows = z.chunks_exact_mut(size).zip(log_sums.chunks_exact_mut(size / heads.d_head));
    for_each(rows.collect(), |row, (z, log_sums)| {
        let of_row = |x| part(x, row, size);
        let inputs = Inputs { q: of_row(inputs.q), k: of_row(inputs.k), v: of_row(inputs.v) };
        let added = added(heads, hidden.map(|hidden| part(hidden, row, heads.seq)));
        let mut scratch = Forward::new(heads);
        for (head, log_sums) in log_sums.chunks_exact_mut(heads.seq).enumerate() {
            scratch.load(heads, head, inputs);
            scratch.compute(heads, head, inputs.q, &added, z, log_sums);
        }
    });
    (z, log_sums)
}

/// The gradients by `q`, `k` and `v` of a whole batch, from that by `z`.
pub fn backward(
    heads: Heads,
    inputs: Inputs,
    hidden: Option<&[bool]>,
    outputs: Outputs,
) -> [Vec<f32>; 3] {
    let size = heads.seq * heads.d_model();
    let mut gradients = [(); 3].map(|()| vec![0.0; outputs.z.len()]);
    let [q, k, v] = gradients.each_mut().map(|gradient| gradient.chunks_exact_mut(size));
    for_each(q.zip(k).zip(v).collect(), |row, ((q, k), v)| {
        let of_row = |x| part(x, row, size);
        let inputs = Inputs { q: of_row(inputs.q), k: of_row(inputs.k), v: of_row(inputs.v) };
        let log_sums = part(outputs.log_sums, row, size / heads.d_head);
        let outputs = Outputs { z: of_row(outputs.z), dz: of_row(outputs.dz), log_sums };
        let added = added(heads, hidden.map(|hidden| part(hidden, row, heads.seq)));
        let mut gradients = Gradients { q, k, v };
        let mut scratch = Backward::new(heads);
        for head in 0..heads.n_heads {
            scratch.load(heads, head, inputs, outputs);
            scratch.compute(heads, &added);
            scratch.store(heads, head, &mut gradients);
        }
    });
    gradients
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
