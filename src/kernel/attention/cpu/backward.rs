//! One head's gradients.

use std::f32::consts::LN_2;

use super::dropped::Dropped;
use super::heads::{Heads, Of, Outputs};
use super::scores::mask;
use crate::base::lanes::{LANES, Lanes, exp2, mul_add, total, wide};

/// Queries at a time: each key, value and gradient by them is then loaded half as often.
const ROWS: usize = 2;

/// One head's inputs, and the gradients by them.
pub struct Backward {
    // [seq, d_head], padded to whole ROWS
    q: Vec<f32>,
    dz: Vec<f32>,
    dq: Vec<f32>,
    queries: Vec<Query>, // [seq], padded to whole ROWS
    // [seq / LANES, d_head], a key a lane
    k: Vec<Lanes>, // scaled so that scores are powers of 2
    v: Vec<Lanes>,
    dk: Vec<Lanes>,
    dv: Vec<Lanes>,
    by_rows: Vec<[Lanes; ROWS]>, // [d_head], the gradient by the present queries before its sum
}

#[derive(Clone, Copy, Default)]
struct Query {
    log_sum: f32,
    /// Mean of the gradient by the weights, weighted by them: the softmax takes it from each.
    mean: f32,
}

impl Backward {
    pub fn new(heads: Heads) -> Self {
        let (padded, blocks) = (heads.seq.next_multiple_of(ROWS), heads.seq.div_ceil(LANES));
        let [q, dz, dq] = [(); 3].map(|()| vec![0.0; padded * heads.d_head]);
        let [k, v, dk, dv] = [(); 4].map(|()| vec![[0.0; LANES]; blocks * heads.d_head]);
        let queries = vec![Query::default(); padded];
        let by_rows = vec![[[0.0; LANES]; ROWS]; heads.d_head];
        Self { q, dz, dq, queries, k, v, dk, dv, by_rows }
    }

    pub fn load(&mut self, heads: Heads, head: usize, qkv: &[f32], outputs: Outputs) {
        heads.copy_rows(qkv, heads.columns(Of::Queries, head), 1.0, &mut self.q);
        heads.copy_rows(outputs.dz, heads.output(head), 1.0, &mut self.dz);
        let log_sums = &outputs.log_sums[head * heads.seq..];
        let of_query =
            heads.rows(outputs.z, heads.output(head)).zip(self.dz.chunks_exact(heads.d_head));
        for ((query, (z, dz)), log_sum) in self.queries.iter_mut().zip(of_query).zip(log_sums) {
            *query =
                Query { log_sum: *log_sum, mean: z.iter().zip(dz).map(|(z, dz)| z * dz).sum() };
        }
        let copies = [(&mut self.k, Of::Keys, heads.scale()), (&mut self.v, Of::Values, 1.0)];
        for (to, of, scale) in copies {
            for (key, from) in heads.rows(qkv, heads.columns(of, head)).enumerate() {
                let block = &mut to[key / LANES * heads.d_head..];
                block.iter_mut().zip(from).for_each(|(to, from)| to[key % LANES] = from * scale);
            }
        }
        self.dk.fill([0.0; LANES]);
        self.dv.fill([0.0; LANES]);
    }

    /// The gradients by what was loaded.
    pub fn compute(&mut self, heads: Heads, added: &[Lanes], dropped: Option<Dropped>) {
        let Self { q, dz, dq, queries, k, v, dk, dv, by_rows } = self;
        backward_head(heads, q, dz, queries, k, v, added, dropped, by_rows, dq, dk, dv);
    }

    pub fn store(&self, heads: Heads, head: usize, gradient: &mut [f32]) {
        let queries = heads.rows_mut(gradient, heads.columns(Of::Queries, head));
        let rows = queries.zip(self.dq.chunks_exact(heads.d_head));
        rows.for_each(|(to, from)| to.copy_from_slice(from));
        // The scale is that of the scores as powers of e.
        let copies = [(&self.dk, Of::Keys, heads.scale() * LN_2), (&self.dv, Of::Values, 1.0)];
        for (from, of, scale) in copies {
            for (key, to) in heads.rows_mut(gradient, heads.columns(of, head)).enumerate() {
                let block = &from[key / LANES * heads.d_head..];
                to.iter_mut().zip(block).for_each(|(to, from)| *to = from[key % LANES] * scale);
            }
        }
    }
}

wide! {
    /// The gradients by one head's inputs.
    fn backward_head(
        heads: Heads,
        q: &[f32],
        dz: &[f32],
        queries: &[Query],
        k: &[Lanes],
        v: &[Lanes],
        added: &[Lanes],
        dropped: Option<Dropped>,
        by_rows: &mut [[Lanes; ROWS]],
        dq: &mut [f32],
        dk: &mut [Lanes],
        dv: &mut [Lanes],
    ) {
        let width = |d_head| Heads { d_head, ..heads };
        // The small widths apart, so that their loops are unrolled.
        match heads.d_head {
            1 => backward_lanes::<FMA>(width(1), q, dz, queries, k, v, added, dropped, by_rows, dq, dk, dv),
            2 => backward_lanes::<FMA>(width(2), q, dz, queries, k, v, added, dropped, by_rows, dq, dk, dv),
            4 => backward_lanes::<FMA>(width(4), q, dz, queries, k, v, added, dropped, by_rows, dq, dk, dv),
            _ => backward_lanes::<FMA>(heads, q, dz, queries, k, v, added, dropped, by_rows, dq, dk, dv),
        }
    }
}

/// A key a lane, so that the gradients by keys and values run across no lanes, and that by a query
/// once.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // The compiler knows that arguments do not overlap.
fn backward_lanes<const FMA: bool>(
    heads: Heads,
    q: &[f32],
    dz: &[f32],
    queries: &[Query],
    k: &[Lanes],
    v: &[Lanes],
    added: &[Lanes],
    dropped: Option<Dropped>,
    by_rows: &mut [[Lanes; ROWS]],
    dq: &mut [f32],
    dk: &mut [Lanes],
    dv: &mut [Lanes],
) {
    let d_head = heads.d_head;
    for first in (0..heads.seq).step_by(ROWS) {
        let blocks = first / LANES + 1;
        let (q, dz) =
            (&q[first * d_head..][..ROWS * d_head], &dz[first * d_head..][..ROWS * d_head]);
        let queries = &queries[first..][..ROWS];
        by_rows.fill([[0.0; LANES]; ROWS]);
        let of_keys = k.chunks_exact(d_head).zip(v.chunks_exact(d_head));
        let by_keys = dk.chunks_exact_mut(d_head).zip(dv.chunks_exact_mut(d_head));
        let all = added.iter().zip(of_keys).zip(by_keys);
        for (block, ((added, (k, v)), (dk, dv))) in all.enumerate().take(blocks) {
            let mut weights = [*added; ROWS];
            let mut ds = [[0.0; LANES]; ROWS]; // at first by the weights, then by the scores
            for d in 0..d_head {
                for row in 0..ROWS {
                    let at = row * d_head + d;
                    for l in 0..LANES {
                        weights[row][l] = mul_add::<FMA>(q[at], k[d][l], weights[row][l]);
                        ds[row][l] = mul_add::<FMA>(dz[at], v[d][l], ds[row][l]);
                    }
                }
            }
            if block + 1 == blocks {
                for (row, weights) in weights.iter_mut().enumerate() {
                    mask(weights, |l| block * LANES + l > first + row);
                }
            }
            let factors = dropped.map(|dropped| {
                let factor = |row, l| dropped.factor(first + row, block * LANES + l);
                std::array::from_fn(|row| std::array::from_fn(|l| factor(row, l)))
            });
            multiply(&mut ds, &factors);
            for row in 0..ROWS {
                for l in 0..LANES {
                    weights[row][l] = exp2::<FMA>(weights[row][l] - queries[row].log_sum);
                    ds[row][l] = weights[row][l] * (ds[row][l] - queries[row].mean);
                }
            }
            multiply(&mut weights, &factors);
            for d in 0..d_head {
                for row in 0..ROWS {
                    let at = row * d_head + d;
                    for l in 0..LANES {
                        dk[d][l] = mul_add::<FMA>(ds[row][l], q[at], dk[d][l]);
                        dv[d][l] = mul_add::<FMA>(weights[row][l], dz[at], dv[d][l]);
                        by_rows[d][row][l] =
                            mul_add::<FMA>(ds[row][l], k[d][l], by_rows[d][row][l]);
                    }
                }
            }
        }
        for (d, by_rows) in by_rows.iter().enumerate() {
            for (row, sums) in by_rows.iter().enumerate() {
                dq[(first + row) * d_head + d] = total(*sums) * LN_2;
            }
        }
    }
}

#[inline(always)]
fn multiply(values: &mut [Lanes; ROWS], factors: &Option<[Lanes; ROWS]>) {
    if let Some(factors) = factors {
        let pairs = values.as_flattened_mut().iter_mut().zip(factors.as_flattened());
        pairs.for_each(|(value, factor)| *value *= factor);
    }
}
