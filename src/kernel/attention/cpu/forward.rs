//! One head's output.

use macerator::Simd;

use super::dropped::Dropped;
use super::heads::{Heads, Of};
use super::program;
use super::program::{ANY, OfHead};
use super::scores::{FIRST_ONLY, WITHOUT_FIRST};
use crate::base::lanes::{LANES, Lanes};
use crate::base::wide::Wide;
use crate::kernel::attention::mask::HIDDEN;

/// Keys, or values of a key, at a time, of heads too wide for their queries to stay in registers.
const PART: usize = 4;

/// One head's keys and values, and a block of its queries with their scores.
pub struct Forward {
    k: Vec<f32>,        // [seq, d_head], scaled so that scores are powers of 2
    v: Vec<f32>,        // [seq, d_head]
    q: Vec<Lanes>,      // [d_head], a query a lane
    scores: Vec<Lanes>, // [key], a query a lane
    dropped: Option<Dropped>,
}

impl Forward {
    pub fn new(heads: Heads) -> Self {
        let zeros = vec![0.0; heads.seq * heads.d_head];
        let (q, scores) = (vec![[0.0; LANES]; heads.d_head], vec![[0.0; LANES]; heads.seq]);
        Self { k: zeros.clone(), v: zeros, q, scores, dropped: None }
    }

    pub fn load(&mut self, heads: Heads, head: usize, qkv: &[f32], dropped: Option<Dropped>) {
        self.dropped = dropped;
        heads.copy_rows(qkv, heads.columns(Of::Keys, head), heads.scale(), &mut self.k);
        heads.copy_rows(qkv, heads.columns(Of::Values, head), 1.0, &mut self.v);
    }

    /// `z` and the `log_sums` of what was loaded.
    pub fn compute(
        &mut self,
        heads: Heads,
        head: usize,
        qkv: &[f32],
        added: &[Lanes],
        z: &mut [f32],
        log_sums: &mut [f32],
    ) {
        let Self { k, v, q: queries, scores, dropped } = self;
        let start = head * heads.d_head;
        let (q, z, added) = (&qkv[start..], &mut z[start..], added.as_flattened());
        let dropped = *dropped;
        let head = Head { heads, q, k, v, added, dropped, queries, scores, z, log_sums };
        program::run(head, heads.d_head, dropped.is_some());
    }
}

/// `z` and the `log_sums` of one head; `q` and `z` begin at its first column.
///
/// A query a lane, so that no sum runs across lanes.
struct Head<'a> {
    heads: Heads,
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    added: &'a [f32],
    dropped: Option<Dropped>,
    queries: &'a mut [Lanes],
    scores: &'a mut [Lanes],
    z: &'a mut [f32],
    log_sums: &'a mut [f32],
}

/// A part of the queries that are in lanes.
#[derive(Clone, Copy)]
struct Block {
    first: usize, // of the queries in lanes
    rows: usize,
    part: usize,
    window: usize,
}

impl Block {
    /// First key that at least one of the queries sees.
    #[inline(always)]
    fn start(self) -> usize {
        (self.first + 1).saturating_sub(self.window)
    }

    /// Number of keys up to the last that at least one of the queries sees.
    #[inline(always)]
    fn keys(self) -> usize {
        self.first + self.rows
    }

    /// Scores, but of keys that come after their query, or before its window.
    #[inline(always)]
    fn seen<S: Simd, const N: usize>(self, key: usize, scores: Wide<S, N>) -> Wide<S, N> {
        // All of the queries see the keys from `whole` up to the first query.
        let whole = self.keys().saturating_sub(self.window).min(self.first);
        if key.wrapping_sub(whole) < self.first - whole {
            return scores;
        }
        let later = key.saturating_sub(self.first);
        let far = (key + self.window - self.first).min(LANES);
        let most = Wide::<S, N>::load(&WITHOUT_FIRST[later], self.part);
        scores.min(most.min(Wide::load(&FIRST_ONLY[far], self.part)))
    }

    /// Sums of weights, infinite where all of a query's window is hidden, which makes its output and its weights 0.
    #[inline(always)]
    fn seen_sums<S: Simd, const N: usize>(
        self,
        largest: Wide<S, N>,
        sums: Wide<S, N>,
    ) -> Wide<S, N> {
        if self.keys() <= self.window {
            return sums; // the first token is never hidden
        }
        let below = (Wide::splat(HIDDEN / 2.0) - largest).max(Wide::splat(0.0));
        sums + below * Wide::splat(f32::MAX)
    }
}

impl OfHead for Head<'_> {
    #[inline(always)]
    fn run<S: Simd, const N: usize, const D: usize, const DROPS: bool>(mut self) {
        for first in (0..self.heads.seq).step_by(LANES) {
            let rows = self.gather(first);
            for part in 0..Wide::<S, N>::parts() {
                let block = Block { first, rows, part, window: self.heads.window };
                match D {
                    ANY => self.broad::<S, N, DROPS>(block),
                    _ => self.narrow::<S, N, D, DROPS>(block),
                }
            }
        }
    }
}

impl Head<'_> {
    /// Puts the queries from `first` on in lanes; returns how many there are.
    #[inline(always)]
    fn gather(&mut self, first: usize) -> usize {
        let (width, d_head) = (self.heads.width(), self.heads.d_head);
        let rows = LANES.min(self.heads.seq - first);
        for l in 0..rows {
            let query = &self.q[(first + l) * width..][..d_head];
            self.queries.iter_mut().zip(query).for_each(|(lanes, value)| lanes[l] = *value);
        }
        rows
    }

    /// Queries of `D` values, which stay in registers.
    #[inline(always)]
    fn narrow<S: Simd, const N: usize, const D: usize, const DROPS: bool>(&mut self, block: Block) {
        let mut queries = [Wide::<S, N>::splat(0.0); D];
        for (lanes, query) in queries.iter_mut().zip(&*self.queries) {
            *lanes = Wide::load(query, block.part);
        }
        let start = block.start();
        let scores = &mut self.scores[start..block.keys()];
        let mut largest = Wide::splat(f32::NEG_INFINITY);
        let of_keys = self.k[start * D..].chunks_exact(D).zip(&self.added[start..]);
        for (key, (score, (k, added))) in (start..).zip(scores.iter_mut().zip(of_keys)) {
            let mut sum = Wide::splat(*added);
            for d in 0..D {
                sum = queries[d].mul_add(Wide::splat(k[d]), sum);
            }
            let sum = block.seen(key, sum);
            largest = largest.max(sum);
            sum.store(score, block.part);
        }
        let mut sums = Wide::splat(0.0);
        let mut mixed = [Wide::splat(0.0); D];
        let of_keys =
            self.scores[start..block.keys()].iter().zip(self.v[start * D..].chunks_exact(D));
        for (key, (score, v)) in (start..).zip(of_keys) {
            let weight = (Wide::load(score, block.part) - largest).exp2();
            sums = sums + weight;
            let weight = self.kept::<S, N, DROPS>(block, key, weight);
            for d in 0..D {
                mixed[d] = weight.mul_add(Wide::splat(v[d]), mixed[d]);
            }
        }
        let sums = block.seen_sums(largest, sums);
        self.put(block, 0, &mixed, sums);
        self.put_log_sums(block, largest, sums);
    }

    /// Queries of any width, with a few keys at a time, and then a few values.
    #[inline(always)]
    fn broad<S: Simd, const N: usize, const DROPS: bool>(&mut self, block: Block) {
        let mut largest = Wide::<S, N>::splat(f32::NEG_INFINITY);
        let mut key = block.start();
        while key < block.keys() {
            key += match key + PART <= block.keys() {
                true => self.score::<S, N, PART>(block, key, &mut largest),
                false => self.score::<S, N, 1>(block, key, &mut largest),
            };
        }
        let mut sums = Wide::splat(0.0);
        for key in block.start()..block.keys() {
            let weight = (Wide::load(&self.scores[key], block.part) - largest).exp2();
            sums = sums + weight;
            let weight = self.kept::<S, N, DROPS>(block, key, weight);
            weight.store(&mut self.scores[key], block.part);
        }
        let sums = block.seen_sums(largest, sums);
        let mut d = 0;
        while d < self.heads.d_head {
            d += match self.heads.d_head - d {
                1 => self.mix::<S, N, 1>(block, d, sums),
                2 | 3 => self.mix::<S, N, 2>(block, d, sums),
                _ => self.mix::<S, N, PART>(block, d, sums),
            };
        }
        self.put_log_sums(block, largest, sums);
    }

    /// Scores of `K` keys from `key` on; returns `K`.
    #[inline(always)]
    fn score<S: Simd, const N: usize, const K: usize>(
        &mut self,
        block: Block,
        key: usize,
        largest: &mut Wide<S, N>,
    ) -> usize {
        let d_head = self.heads.d_head;
        let k = &self.k[key * d_head..][..K * d_head];
        let mut sums = [Wide::splat(0.0); K];
        for (sum, added) in sums.iter_mut().zip(&self.added[key..]) {
            *sum = Wide::splat(*added);
        }
        for (d, query) in self.queries.iter().enumerate() {
            let query = Wide::load(query, block.part);
            for i in 0..K {
                sums[i] = query.mul_add(Wide::splat(k[i * d_head + d]), sums[i]);
            }
        }
        for (i, score) in self.scores[key..][..K].iter_mut().enumerate() {
            let sum = block.seen(key + i, sums[i]);
            *largest = largest.max(sum);
            sum.store(score, block.part);
        }
        K
    }

    /// `D` values of every query from `d` on, by the weights of all keys; returns `D`.
    #[inline(always)]
    fn mix<S: Simd, const N: usize, const D: usize>(
        &mut self,
        block: Block,
        d: usize,
        sums: Wide<S, N>,
    ) -> usize {
        let mut mixed = [Wide::splat(0.0); D];
        let weights = &self.scores[block.start()..block.keys()];
        let v = &self.v[block.start() * self.heads.d_head..];
        for (weight, v) in weights.iter().zip(v.chunks_exact(self.heads.d_head)) {
            let (weight, v) = (Wide::load(weight, block.part), &v[d..][..D]);
            for i in 0..D {
                mixed[i] = weight.mul_add(Wide::splat(v[i]), mixed[i]);
            }
        }
        self.put(block, d, &mixed, sums);
        D
    }

    /// Writes values of queries from `d` on, each over the sum of its weights.
    #[inline(always)]
    fn put<S: Simd, const N: usize, const D: usize>(
        &mut self,
        block: Block,
        d: usize,
        mixed: &[Wide<S, N>; D],
        sums: Wide<S, N>,
    ) {
        let (d_model, sums) = (self.heads.d_model(), sums.lanes(block.part));
        for (i, mixed) in mixed.iter().enumerate() {
            let values = mixed.lanes(block.part);
            for l in Wide::<S, N>::range(block.part, block.rows) {
                self.z[(block.first + l) * d_model + d + i] = values[l] / sums[l];
            }
        }
    }

    #[inline(always)]
    fn put_log_sums<S: Simd, const N: usize>(
        &mut self,
        block: Block,
        largest: Wide<S, N>,
        sums: Wide<S, N>,
    ) {
        let (largest, sums) = (largest.lanes(block.part), sums.lanes(block.part));
        for l in Wide::<S, N>::range(block.part, block.rows) {
            self.log_sums[block.first + l] = largest[l] + sums[l].log2();
        }
    }

    /// Weights of a key that are left where some are dropped.
    #[inline(always)]
    fn kept<S: Simd, const N: usize, const DROPS: bool>(
        &self,
        block: Block,
        key: usize,
        weight: Wide<S, N>,
    ) -> Wide<S, N> {
        match self.dropped {
            Some(dropped) if DROPS => {
                let lanes = Wide::<S, N>::range(block.part, LANES);
                weight * Wide::load(&dropped.of_queries(block.first, key, lanes), block.part)
            }
            _ => weight,
        }
    }
}
