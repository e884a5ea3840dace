//! One head's gradients.

use std::f32::consts::LN_2;
use std::ops::Range;

use macerator::Simd;

use super::dropped::Dropped;
use super::heads::{Heads, Of, Outputs};
use super::program;
use super::program::{ANY, OfHead};
use super::scores::{FIRST_ONLY, WITHOUT_FIRST};
use crate::base::lanes::{LANES, Lanes, total};
use crate::base::wide::Wide;

/// Queries at a time, with the 32 registers of AVX-512: each key, value and gradient by them is loaded so much more seldom.
const MOST_ROWS: usize = 4;
/// Queries at a time, with 16 registers.
const FEW_ROWS: usize = 2;

/// One head's inputs, and the gradients by them.
pub struct Backward {
    // [seq, d_head], padded to whole MOST_ROWS
    q: Vec<f32>,
    dz: Vec<f32>,
    dq: Vec<f32>,
    queries: Vec<Query>, // [seq], padded to whole MOST_ROWS
    // [seq / LANES, d_head], a key a lane
    k: Vec<Lanes>, // scaled so that scores are powers of 2
    v: Vec<Lanes>,
    dk: Vec<Lanes>,
    dv: Vec<Lanes>,
    by_rows: Vec<Lanes>, // [d_head, row], the gradient by the present queries before its sum
}

#[derive(Clone, Copy, Default)]
struct Query {
    log_sum: f32,
    /// Mean of the gradient by the weights, weighted by them: the softmax takes it from each.
    mean: f32,
}

impl Backward {
    pub fn new(heads: Heads) -> Self {
        let (padded, blocks) = (heads.seq.next_multiple_of(MOST_ROWS), heads.seq.div_ceil(LANES));
        let [q, dz, dq] = [(); 3].map(|()| vec![0.0; padded * heads.d_head]);
        let [k, v, dk, dv] = [(); 4].map(|()| vec![[0.0; LANES]; blocks * heads.d_head]);
        let queries = vec![Query::default(); padded];
        let by_rows = vec![[0.0; LANES]; heads.d_head * MOST_ROWS];
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
        let head = Head { heads, q, dz, queries, k, v, added, dropped, by_rows, dq, dk, dv };
        program::run(head, heads.d_head, dropped.is_some());
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
    by_rows: &'a mut [Lanes],
    dq: &'a mut [f32],
    dk: &'a mut [Lanes],
    dv: &'a mut [Lanes],
}

impl OfHead for Head<'_> {
    #[inline(always)]
    fn run<S: Simd, const N: usize, const D: usize, const DROPS: bool>(self) {
        match S::lanes32() {
            16 => self.all::<S, N, D, DROPS, MOST_ROWS>(),
            _ => self.all::<S, N, D, DROPS, FEW_ROWS>(),
        }
    }
}

impl Head<'_> {
    #[inline(always)]
    fn all<S: Simd, const N: usize, const D: usize, const DROPS: bool, const ROWS: usize>(
        mut self,
    ) {
        for first in (0..self.heads.seq).step_by(ROWS) {
            let rows = self.rows::<ROWS>(first);
            if D == ANY {
                self.by_rows.fill([0.0; LANES]);
            }
            for part in 0..Wide::<S, N>::parts() {
                match D {
                    ANY => self.broad::<S, N, DROPS, ROWS>(rows, part),
                    _ => self.narrow::<S, N, D, DROPS, ROWS>(rows, part),
                }
            }
            self.put::<ROWS>(first);
        }
    }

    #[inline(always)]
    fn rows<const ROWS: usize>(&self, first: usize) -> Rows<ROWS> {
        let mut queries = [Query::default(); ROWS];
        queries.copy_from_slice(&self.queries[first..][..ROWS]);
        Rows { first, window: self.heads.window, queries, dropped: self.dropped }
    }

    /// A few queries of `D` values, by which the gradients stay in registers, and a part of every block of keys.
    #[inline(always)]
    fn narrow<S: Simd, const N: usize, const D: usize, const DROPS: bool, const ROWS: usize>(
        &mut self,
        rows: Rows<ROWS>,
        part: usize,
    ) {
        let [q, dz] = [self.q, self.dz].map(|of| &of[rows.first * D..][..ROWS * D]);
        let mut by_rows = [[Wide::<S, N>::splat(0.0); ROWS]; D];
        let of_keys = self.k.chunks_exact(D).zip(self.v.chunks_exact(D)).zip(self.added);
        let by_keys = self.dk.chunks_exact_mut(D).zip(self.dv.chunks_exact_mut(D));
        let Range { start, end } = rows.blocks();
        let blocks = of_keys.zip(by_keys).enumerate().take(end).skip(start);
        for (block, (((k, v), added), (dk, dv))) in blocks {
            let mut weights = [Wide::load(added, part); ROWS];
            let mut ds = [Wide::splat(0.0); ROWS];
            for d in 0..D {
                let kv = [Wide::load(&k[d], part), Wide::load(&v[d], part)];
                add_products([q, dz], kv, D, d, &mut weights, &mut ds);
            }
            rows.by_scores::<S, N, DROPS>(block, part, &mut weights, &mut ds);
            for d in 0..D {
                let by_kv = [Wide::load(&dk[d], part), Wide::load(&dv[d], part)];
                let [by_k, by_v] = add_gradients([q, dz], by_kv, D, d, &weights, &ds);
                by_k.store(&mut dk[d], part);
                by_v.store(&mut dv[d], part);
                let k = Wide::load(&k[d], part);
                for row in 0..ROWS {
                    by_rows[d][row] = ds[row].mul_add(k, by_rows[d][row]);
                }
            }
        }
        for (to, by_row) in self.by_rows.iter_mut().zip(by_rows.as_flattened()) {
            by_row.store(to, part);
        }
    }

    /// A few queries of any width, and a part of every block of keys.
    #[inline(always)]
    fn broad<S: Simd, const N: usize, const DROPS: bool, const ROWS: usize>(
        &mut self,
        rows: Rows<ROWS>,
        part: usize,
    ) {
        let d_head = self.heads.d_head;
        let [q, dz] = [self.q, self.dz].map(|of| &of[rows.first * d_head..][..ROWS * d_head]);
        let of_keys = self.k.chunks_exact(d_head).zip(self.v.chunks_exact(d_head)).zip(self.added);
        let by_keys = self.dk.chunks_exact_mut(d_head).zip(self.dv.chunks_exact_mut(d_head));
        let Range { start, end } = rows.blocks();
        let blocks = of_keys.zip(by_keys).enumerate().take(end).skip(start);
        for (block, (((k, v), added), (dk, dv))) in blocks {
            let mut weights = [Wide::<S, N>::load(added, part); ROWS];
            let mut ds = [Wide::splat(0.0); ROWS];
            for (d, (k, v)) in k.iter().zip(v).enumerate() {
                let kv = [Wide::load(k, part), Wide::load(v, part)];
                add_products([q, dz], kv, d_head, d, &mut weights, &mut ds);
            }
            rows.by_scores::<S, N, DROPS>(block, part, &mut weights, &mut ds);
            let of_d =
                dk.iter_mut().zip(dv).zip(k.iter().zip(self.by_rows.as_chunks_mut::<ROWS>().0));
            for (d, ((dk, dv), (k, by_rows))) in of_d.enumerate() {
                let by_kv = [Wide::load(dk, part), Wide::load(dv, part)];
                let [by_k, by_v] = add_gradients([q, dz], by_kv, d_head, d, &weights, &ds);
                by_k.store(dk, part);
                by_v.store(dv, part);
                let k = Wide::load(k, part);
                for (ds, by_row) in ds.iter().zip(by_rows) {
                    ds.mul_add(k, Wide::load(by_row, part)).store(by_row, part);
                }
            }
        }
    }

    /// Sums the gradient by the queries from `first` on.
    #[inline(always)]
    fn put<const ROWS: usize>(&mut self, first: usize) {
        let d_head = self.heads.d_head;
        for (d, by_rows) in self.by_rows.as_chunks::<ROWS>().0.iter().take(d_head).enumerate() {
            for (row, sums) in by_rows.iter().enumerate() {
                self.dq[(first + row) * d_head + d] = total(*sums) * LN_2;
            }
        }
    }
}

/// A few queries from `first` on.
#[derive(Clone, Copy)]
struct Rows<const ROWS: usize> {
    first: usize,
    window: usize,
    queries: [Query; ROWS],
    dropped: Option<Dropped>,
}

impl<const ROWS: usize> Rows<ROWS> {
    /// Blocks of keys that the queries see, the last one in part.
    #[inline(always)]
    fn blocks(self) -> Range<usize> {
        (self.first + 1).saturating_sub(self.window) / LANES..self.first / LANES + 1
    }

    /// Scores of a block of keys, but of those after `query`, or before its window.
    #[inline(always)]
    fn seen<S: Simd, const N: usize>(
        self,
        query: usize,
        block: usize,
        part: usize,
        mut scores: Wide<S, N>,
    ) -> Wide<S, N> {
        if block == self.first / LANES {
            scores = scores.min(Wide::load(&FIRST_ONLY[query % LANES + 1], part));
        }
        let far = (query + 1).saturating_sub(self.window + block * LANES);
        if far > 0 {
            scores = scores.min(Wide::load(&WITHOUT_FIRST[far.min(LANES)], part));
        }
        scores
    }

    /// The weights from scores, and the gradients by the scores from those by the weights.
    #[inline(always)]
    fn by_scores<S: Simd, const N: usize, const DROPS: bool>(
        self,
        block: usize,
        part: usize,
        weights: &mut [Wide<S, N>; ROWS],
        ds: &mut [Wide<S, N>; ROWS],
    ) {
        for row in 0..ROWS {
            let Query { log_sum, mean } = self.queries[row];
            let query = self.first + row;
            let score = self.seen(query, block, part, weights[row]);
            let weight = (score - Wide::splat(log_sum)).exp2();
            weights[row] = weight;
            if DROPS && let Some(dropped) = self.dropped {
                let lanes = Wide::<S, N>::range(part, LANES);
                let factors = Wide::load(&dropped.of_keys(query, block * LANES, lanes), part);
                weights[row] = weight * factors;
                ds[row] = ds[row] * factors;
            }
            ds[row] = weight * (ds[row] - Wide::splat(mean));
        }
    }
}

/// Adds products of queries with a value of keys, and of the gradients by outputs with one of values.
#[inline(always)]
fn add_products<S: Simd, const N: usize, const ROWS: usize>(
    [q, dz]: [&[f32]; 2],
    [k, v]: [Wide<S, N>; 2],
    d_head: usize,
    d: usize,
    scores: &mut [Wide<S, N>; ROWS],
    by_weights: &mut [Wide<S, N>; ROWS],
) {
    for row in 0..ROWS {
        let at = row * d_head + d;
        scores[row] = Wide::splat(q[at]).mul_add(k, scores[row]);
        by_weights[row] = Wide::splat(dz[at]).mul_add(v, by_weights[row]);
    }
}

/// The gradients by a value of keys and by one of values, with what a few queries add.
#[inline(always)]
fn add_gradients<S: Simd, const N: usize, const ROWS: usize>(
    [q, dz]: [&[f32]; 2],
    [mut dk, mut dv]: [Wide<S, N>; 2],
    d_head: usize,
    d: usize,
    weights: &[Wide<S, N>; ROWS],
    ds: &[Wide<S, N>; ROWS],
) -> [Wide<S, N>; 2] {
    for row in 0..ROWS {
        let at = row * d_head + d;
        dk = ds[row].mul_add(Wide::splat(q[at]), dk);
        dv = weights[row].mul_add(Wide::splat(dz[at]), dv);
    }
    [dk, dv]
}
