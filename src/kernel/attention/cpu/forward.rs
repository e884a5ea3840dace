//! One head's output.

use macerator::Simd;

use super::dropped::Dropped;
use super::heads::{Heads, Of};
use super::scores::MOST_BY_KEY;
use crate::base::lanes::{LANES, Lanes};
use crate::base::wide;
use crate::base::wide::{Wide, Widely};

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
        wide::run(Head { heads, q, k, v, added, dropped, queries, scores, z, log_sums });
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

impl Widely for Head<'_> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self) {
        match self.dropped {
            None => self.blocks::<S, N, false>(),
            Some(_) => self.blocks::<S, N, true>(),
        }
    }
}

impl Head<'_> {
    /// `DROPS` says whether weights are dropped, so that what does it takes no registers where none are.
    #[inline(always)]
    fn blocks<S: Simd, const N: usize, const DROPS: bool>(mut self) {
        for first in (0..self.heads.seq).step_by(LANES) {
            self.gather(first);
            match self.heads.d_head {
                1 => self.narrow::<S, N, DROPS, 1>(first),
                2 => self.narrow::<S, N, DROPS, 2>(first),
                3 => self.narrow::<S, N, DROPS, 3>(first),
                4 => self.narrow::<S, N, DROPS, 4>(first),
                _ => self.broad::<S, N, DROPS>(first),
            }
        }
    }

    /// How many queries of the block from `first` on there are.
    #[inline(always)]
    fn rows(&self, first: usize) -> usize {
        LANES.min(self.heads.seq - first)
    }

    /// Puts the queries of a block in lanes.
    #[inline(always)]
    fn gather(&mut self, first: usize) {
        let (width, d_head) = (self.heads.width(), self.heads.d_head);
        for l in 0..self.rows(first) {
            let query = &self.q[(first + l) * width..][..d_head];
            self.queries.iter_mut().zip(query).for_each(|(lanes, value)| lanes[l] = *value);
        }
    }

    /// A block of queries of `D` values, which stay in registers.
    #[inline(always)]
    fn narrow<S: Simd, const N: usize, const DROPS: bool, const D: usize>(&mut self, first: usize) {
        let keys = first + self.rows(first);
        let mut queries = [Wide::<S, N>::splat(0.0); D];
        for (lanes, query) in queries.iter_mut().zip(&*self.queries) {
            *lanes = Wide::load(query);
        }
        let scores = &mut self.scores[..keys];
        let mut largest = Wide::splat(f32::NEG_INFINITY);
        let of_keys = self.k.chunks_exact(D).zip(self.added);
        for (key, (score, (k, added))) in scores.iter_mut().zip(of_keys).enumerate() {
            let mut sum = Wide::splat(*added);
            for d in 0..D {
                sum = queries[d].mul_add(Wide::splat(k[d]), sum);
            }
            if key >= first {
                sum = sum.min(Wide::load(&MOST_BY_KEY[key - first]));
            }
            largest = largest.max(sum);
            sum.store(score);
        }
        let mut sums = Wide::splat(0.0);
        let mut mixed = [Wide::splat(0.0); D];
        for (key, (score, v)) in self.scores[..keys].iter().zip(self.v.chunks_exact(D)).enumerate() {
            let weight = (Wide::load(score) - largest).exp2();
            sums = sums + weight;
            let weight = self.kept::<S, N, DROPS>(first, key, weight);
            for d in 0..D {
                mixed[d] = weight.mul_add(Wide::splat(v[d]), mixed[d]);
            }
        }
        self.put(first, 0, &mixed, sums);
        self.put_log_sums(first, largest, sums);
    }

    /// A block of queries of any width, with a few keys at a time, and then a few values.
    #[inline(always)]
    fn broad<S: Simd, const N: usize, const DROPS: bool>(&mut self, first: usize) {
        let d_head = self.heads.d_head;
        let keys = first + self.rows(first);
        let mut largest = Wide::<S, N>::splat(f32::NEG_INFINITY);
        let mut key = 0;
        while key < keys {
            // Blocks begin at whole parts, so that none of these is of a key that some query does not see.
            key += match key + PART <= first {
                true => self.score::<S, N, PART>(key, first, &mut largest),
                false => self.score::<S, N, 1>(key, first, &mut largest),
            };
        }
        let mut sums = Wide::splat(0.0);
        for key in 0..keys {
            let weight = (Wide::load(&self.scores[key]) - largest).exp2();
            sums = sums + weight;
            self.kept::<S, N, DROPS>(first, key, weight).store(&mut self.scores[key]);
        }
        let mut d = 0;
        while d < d_head {
            d += match d_head - d {
                1 => self.mix::<S, N, 1>(first, d, sums),
                2 | 3 => self.mix::<S, N, 2>(first, d, sums),
                _ => self.mix::<S, N, PART>(first, d, sums),
            };
        }
        self.put_log_sums(first, largest, sums);
    }

    /// Scores of `K` keys from `key` on; returns `K`.
    #[inline(always)]
    fn score<S: Simd, const N: usize, const K: usize>(
        &mut self,
        key: usize,
        first: usize,
        largest: &mut Wide<S, N>,
    ) -> usize {
        let d_head = self.heads.d_head;
        let k = &self.k[key * d_head..][..K * d_head];
        let mut sums = [Wide::splat(0.0); K];
        for (sum, added) in sums.iter_mut().zip(&self.added[key..]) {
            *sum = Wide::splat(*added);
        }
        for (d, query) in self.queries.iter().enumerate() {
            let query = Wide::load(query);
            for i in 0..K {
                sums[i] = query.mul_add(Wide::splat(k[i * d_head + d]), sums[i]);
            }
        }
        for (i, score) in self.scores[key..][..K].iter_mut().enumerate() {
            if key + i >= first {
                sums[i] = sums[i].min(Wide::load(&MOST_BY_KEY[key + i - first]));
            }
            *largest = largest.max(sums[i]);
            sums[i].store(score);
        }
        K
    }

    /// `D` values of every query from `d` on, by the weights of all keys; returns `D`.
    #[inline(always)]
    fn mix<S: Simd, const N: usize, const D: usize>(
        &mut self,
        first: usize,
        d: usize,
        sums: Wide<S, N>,
    ) -> usize {
        let mut mixed = [Wide::splat(0.0); D];
        let weights = &self.scores[..first + self.rows(first)];
        for (weight, v) in weights.iter().zip(self.v.chunks_exact(self.heads.d_head)) {
            let (weight, v) = (Wide::load(weight), &v[d..][..D]);
            for i in 0..D {
                mixed[i] = weight.mul_add(Wide::splat(v[i]), mixed[i]);
            }
        }
        self.put(first, d, &mixed, sums);
        D
    }

    /// Writes values of a block of queries from `d` on, each over the sum of its weights.
    #[inline(always)]
    fn put<S: Simd, const N: usize, const D: usize>(
        &mut self,
        first: usize,
        d: usize,
        mixed: &[Wide<S, N>; D],
        sums: Wide<S, N>,
    ) {
        let (rows, d_model, sums) = (self.rows(first), self.heads.d_model(), sums.lanes());
        for (i, mixed) in mixed.iter().enumerate() {
            for (l, value) in mixed.lanes().iter().take(rows).enumerate() {
                self.z[(first + l) * d_model + d + i] = value / sums[l];
            }
        }
    }

    #[inline(always)]
    fn put_log_sums<S: Simd, const N: usize>(
        &mut self,
        first: usize,
        largest: Wide<S, N>,
        sums: Wide<S, N>,
    ) {
        let (largest, sums) = (largest.lanes(), sums.lanes());
        let log_sums = self.log_sums[first..].iter_mut().zip(largest.iter().zip(&sums));
        log_sums.for_each(|(log_sum, (largest, sum))| *log_sum = largest + sum.log2());
    }

    /// Weights of a key that are left where some are dropped.
    #[inline(always)]
    fn kept<S: Simd, const N: usize, const DROPS: bool>(
        &self,
        first: usize,
        key: usize,
        weight: Wide<S, N>,
    ) -> Wide<S, N> {
        match self.dropped {
            Some(dropped) if DROPS => weight * Wide::load(&dropped.of_queries(first, key)),
            _ => weight,
        }
    }
}
