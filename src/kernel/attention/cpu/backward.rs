//! One head's gradients.

use std::f32::consts::LN_2;

use macerator::Simd;

use super::dropped::Dropped;
use super::heads::{Heads, Of, Outputs};
use super::scores::{ANY, MOST_BY_QUERY};
use crate::base::lanes::{LANES, Lanes, total};
use crate::base::wide;
use crate::base::wide::{Wide, Widely};

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
        wide::run(Head { heads, q, dz, queries, k, v, added, dropped, by_rows, dq, dk, dv });
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

/// The gradients by one head's inputs.
///
/// A key a lane, so that the gradients by keys and values run across no lanes, and that by a query once.
struct Head<'a> {
    heads: Heads,
    q: &'a [f32],
    dz: &'a [f32],
    queries: &'a [Query],
    k: &'a [Lanes],
    v: &'a [Lanes],
    added: &'a [Lanes],
    dropped: Option<Dropped>,
    by_rows: &'a mut [[Lanes; ROWS]],
    dq: &'a mut [f32],
    dk: &'a mut [Lanes],
    dv: &'a mut [Lanes],
}

impl Widely for Head<'_> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self) {
        match self.dropped {
            None => self.rows::<S, N, false>(),
            Some(_) => self.rows::<S, N, true>(),
        }
    }
}

impl Head<'_> {
    /// `DROPS` says whether weights are dropped, so that what does it takes no registers where none are.
    #[inline(always)]
    fn rows<S: Simd, const N: usize, const DROPS: bool>(mut self) {
        for first in (0..self.heads.seq).step_by(ROWS) {
            match self.heads.d_head {
                1 => self.narrow::<S, N, DROPS, 1>(first),
                2 => self.narrow::<S, N, DROPS, 2>(first),
                3 => self.narrow::<S, N, DROPS, 3>(first),
                4 => self.narrow::<S, N, DROPS, 4>(first),
                _ => self.broad::<S, N, DROPS>(first),
            }
        }
    }

    /// A few queries of `D` values, by which the gradients stay in registers.
    #[inline(always)]
    fn narrow<S: Simd, const N: usize, const DROPS: bool, const D: usize>(&mut self, first: usize) {
        let q = &self.q[first * D..][..ROWS * D];
        let dz = &self.dz[first * D..][..ROWS * D];
        let rows = self.rows_from(first);
        let mut by_rows = [[Wide::<S, N>::splat(0.0); ROWS]; D];
        let of_keys = self.k.chunks_exact(D).zip(self.v.chunks_exact(D)).zip(self.added);
        let by_keys = self.dk.chunks_exact_mut(D).zip(self.dv.chunks_exact_mut(D));
        for (block, (((k, v), added), (dk, dv))) in of_keys.zip(by_keys).take(rows.blocks()).enumerate() {
            let mut weights = [Wide::load(added); ROWS];
            let mut ds = [Wide::splat(0.0); ROWS];
            for d in 0..D {
                add_products([q, dz], [&k[d], &v[d]], D, d, &mut weights, &mut ds);
            }
            rows.by_scores::<S, N, DROPS>(block, &mut weights, &mut ds);
            for d in 0..D {
                add_gradients([q, dz], D, d, &weights, &ds, [&mut dk[d], &mut dv[d]]);
                for row in 0..ROWS {
                    by_rows[d][row] = ds[row].mul_add(Wide::load(&k[d]), by_rows[d][row]);
                }
            }
        }
        for (d, by_rows) in by_rows.iter().enumerate() {
            for (row, sums) in by_rows.iter().enumerate() {
                self.dq[(first + row) * D + d] = total(sums.lanes()) * LN_2;
            }
        }
    }

    /// A few queries of any width.
    #[inline(always)]
    fn broad<S: Simd, const N: usize, const DROPS: bool>(&mut self, first: usize) {
        let d_head = self.heads.d_head;
        let q = &self.q[first * d_head..][..ROWS * d_head];
        let dz = &self.dz[first * d_head..][..ROWS * d_head];
        let rows = self.rows_from(first);
        self.by_rows.fill([[0.0; LANES]; ROWS]);
        let of_keys = self.k.chunks_exact(d_head).zip(self.v.chunks_exact(d_head)).zip(self.added);
        let by_keys = self.dk.chunks_exact_mut(d_head).zip(self.dv.chunks_exact_mut(d_head));
        for (block, (((k, v), added), (dk, dv))) in of_keys.zip(by_keys).take(rows.blocks()).enumerate() {
            let mut weights = [Wide::<S, N>::load(added); ROWS];
            let mut ds = [Wide::splat(0.0); ROWS];
            for (d, kv) in k.iter().zip(v).enumerate() {
                add_products([q, dz], kv.into(), d_head, d, &mut weights, &mut ds);
            }
            rows.by_scores::<S, N, DROPS>(block, &mut weights, &mut ds);
            let of_d = dk.iter_mut().zip(dv).zip(k.iter().zip(&mut *self.by_rows));
            for (d, (by_kv, (k, by_rows))) in of_d.enumerate() {
                add_gradients([q, dz], d_head, d, &weights, &ds, by_kv.into());
                let k = Wide::load(k);
                for (ds, by_row) in ds.iter().zip(by_rows) {
                    ds.mul_add(k, Wide::load(by_row)).store(by_row);
                }
            }
        }
        for (d, by_rows) in self.by_rows.iter().enumerate() {
            for (row, sums) in by_rows.iter().enumerate() {
                self.dq[(first + row) * d_head + d] = total(*sums) * LN_2;
            }
        }
    }

    #[inline(always)]
    fn rows_from(&self, first: usize) -> Rows {
        let mut queries = [Query::default(); ROWS];
        queries.copy_from_slice(&self.queries[first..][..ROWS]);
        Rows { first, queries, dropped: self.dropped }
    }
}

/// A few queries from `first` on.
#[derive(Clone, Copy)]
struct Rows {
    first: usize,
    queries: [Query; ROWS],
    dropped: Option<Dropped>,
}

impl Rows {
    /// How many blocks of keys they see.
    #[inline(always)]
    fn blocks(self) -> usize {
        self.first / LANES + 1
    }

    /// The weights from scores, and the gradients by the scores from those by the weights.
    #[inline(always)]
    fn by_scores<S: Simd, const N: usize, const DROPS: bool>(
        self,
        block: usize,
        weights: &mut [Wide<S, N>; ROWS],
        ds: &mut [Wide<S, N>; ROWS],
    ) {
        for row in 0..ROWS {
            let Query { log_sum, mean } = self.queries[row];
            let query = self.first + row;
            let most = match block == self.first / LANES {
                true => &MOST_BY_QUERY[query % LANES],
                false => &ANY,
            };
            let score = weights[row].min(Wide::load(most));
            let weight = (score - Wide::splat(log_sum)).exp2();
            weights[row] = weight;
            if DROPS && let Some(dropped) = self.dropped {
                let factors = Wide::load(&dropped.of_keys(query, block * LANES));
                weights[row] = weight * factors;
                ds[row] = ds[row] * factors;
            }
            ds[row] = weight * (ds[row] - Wide::splat(mean));
        }
    }
}

/// Adds products of queries with a value of keys, and of the gradients by outputs with one of values.
#[inline(always)]
fn add_products<S: Simd, const N: usize>(
    [q, dz]: [&[f32]; 2],
    [k, v]: [&Lanes; 2],
    d_head: usize,
    d: usize,
    scores: &mut [Wide<S, N>; ROWS],
    by_weights: &mut [Wide<S, N>; ROWS],
) {
    let (k, v) = (Wide::load(k), Wide::load(v));
    for row in 0..ROWS {
        let at = row * d_head + d;
        scores[row] = Wide::splat(q[at]).mul_add(k, scores[row]);
        by_weights[row] = Wide::splat(dz[at]).mul_add(v, by_weights[row]);
    }
}

/// Adds the gradients by a value of keys and by one of values.
#[inline(always)]
fn add_gradients<S: Simd, const N: usize>(
    [q, dz]: [&[f32]; 2],
    d_head: usize,
    d: usize,
    weights: &[Wide<S, N>; ROWS],
    ds: &[Wide<S, N>; ROWS],
    [to_k, to_v]: [&mut Lanes; 2],
) {
    let (mut dk, mut dv) = (Wide::load(to_k), Wide::load(to_v));
    for row in 0..ROWS {
        let at = row * d_head + d;
        dk = ds[row].mul_add(Wide::splat(q[at]), dk);
        dv = weights[row].mul_add(Wide::splat(dz[at]), dv);
    }
    dk.store(to_k);
    dv.store(to_v);
}
