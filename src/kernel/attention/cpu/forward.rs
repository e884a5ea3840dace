//! One head's output.

use super::dropped::Dropped;
use super::heads::{Heads, Of};
use super::scores::mask;
use crate::base::lanes::{LANES, Lanes, exp2, mul_add, wide};

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
        forward_head(heads, q, k, v, added, *dropped, queries, scores, z, log_sums);
    }
}

wide! {
    /// `z` and the `log_sums` of one head; `q` and `z` begin at its first column.
    fn forward_head(
        heads: Heads,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        added: &[f32],
        dropped: Option<Dropped>,
        queries: &mut [Lanes],
        scores: &mut [Lanes],
        z: &mut [f32],
        log_sums: &mut [f32],
    ) {
        let width = |d_head| Heads { d_head, ..heads };
        // The small widths apart, so that their loops are unrolled.
        match heads.d_head {
            1 => forward_lanes::<FMA, 1>(width(1), q, k, v, added, dropped, queries, scores, z, log_sums),
            2 => forward_lanes::<FMA, 2>(width(2), q, k, v, added, dropped, queries, scores, z, log_sums),
            3 => forward_lanes::<FMA, 2>(heads, q, k, v, added, dropped, queries, scores, z, log_sums),
            4 => forward_lanes::<FMA, 4>(width(4), q, k, v, added, dropped, queries, scores, z, log_sums),
            _ => forward_lanes::<FMA, 4>(heads, q, k, v, added, dropped, queries, scores, z, log_sums),
        }
    }
}

/// A query a lane, so that no sum runs across lanes. The first `D` values of a head are mixed as their weights are computed,
/// the others after that, a few at a time: sums of more would not stay in registers.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // The compiler knows that arguments do not overlap.
fn forward_lanes<const FMA: bool, const D: usize>(
    heads: Heads,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    added: &[f32],
    dropped: Option<Dropped>,
    queries: &mut [Lanes],
    scores: &mut [Lanes],
    z: &mut [f32],
    log_sums: &mut [f32],
) {
    let Heads { seq, d_head, .. } = heads;
    let d_model = heads.d_model();
    // Of the small widths, so that the loops over them are known to end.
    let queries = if d_head <= D { &mut queries[..d_head] } else { queries };
    for first in (0..seq).step_by(LANES) {
        let rows = LANES.min(seq - first);
        let keys = first + rows;
        for l in 0..rows {
            let query = &q[(first + l) * heads.width()..][..d_head];
            queries.iter_mut().zip(query).for_each(|(lanes, value)| lanes[l] = *value);
        }
        let mut largest = [f32::NEG_INFINITY; LANES];
        let of_key = scores.iter_mut().zip(k.chunks_exact(d_head)).zip(added);
        for (key, ((score, k), added)) in of_key.enumerate().take(keys) {
            *score = [*added; LANES];
            for d in 0..d_head {
                for l in 0..LANES {
                    score[l] = mul_add::<FMA>(queries[d][l], k[d], score[l]);
                }
            }
            if key > first {
                mask(score, |l| first + l < key);
            }
            for l in 0..LANES {
                largest[l] = if score[l] > largest[l] { score[l] } else { largest[l] };
            }
        }
        let mut sums = [0.0; LANES];
        let mut mixed = [[0.0; LANES]; D];
        for (key, (score, v)) in scores[..keys].iter_mut().zip(v.chunks_exact(d_head)).enumerate() {
            let mut weight = [0.0; LANES];
            for l in 0..LANES {
                weight[l] = exp2::<FMA>(score[l] - largest[l]);
                sums[l] += weight[l];
            }
            if let Some(dropped) = dropped {
                for (l, weight) in weight.iter_mut().enumerate() {
                    *weight *= dropped.factor(first + l, key);
                }
            }
            add::<FMA, D>(&mut mixed, &weight, v);
            if d_head > D {
                *score = weight;
            }
        }
        put(&mixed, &sums, &mut z[first * d_model..], d_model, rows);
        let mut d = D;
        while d < d_head {
            let (weights, v, z) = (&scores[..keys], &v[d..], &mut z[first * d_model + d..]);
            d += match d_head - d {
                1 => mix::<FMA, 1>(weights, v, d_head, &sums, z, d_model, rows),
                2 | 3 => mix::<FMA, 2>(weights, v, d_head, &sums, z, d_model, rows),
                _ => mix::<FMA, 4>(weights, v, d_head, &sums, z, d_model, rows),
            };
        }
        for l in 0..rows {
            log_sums[first + l] = largest[l] + sums[l].log2();
        }
    }
}

/// The other `D` values of every query, by the weights of all keys; returns `D`. Their sums stay in registers.
#[inline(always)]
fn mix<const FMA: bool, const D: usize>(
    weights: &[Lanes],
    v: &[f32],
    d_head: usize,
    sums: &Lanes,
    z: &mut [f32],
    d_model: usize,
    rows: usize,
) -> usize {
    let mut mixed = [[0.0; LANES]; D];
    for (weight, v) in weights.iter().zip(v.chunks(d_head)) {
        add::<FMA, D>(&mut mixed, weight, v);
    }
    put(&mixed, sums, z, d_model, rows);
    D
}

/// Adds the first `D` of a key's values, by each query's weight of it.
#[inline(always)]
fn add<const FMA: bool, const D: usize>(mixed: &mut [Lanes; D], weight: &Lanes, v: &[f32]) {
    for (mixed, v) in mixed.iter_mut().zip(&v[..D]) {
        for l in 0..LANES {
            mixed[l] = mul_add::<FMA>(weight[l], *v, mixed[l]);
        }
    }
}

/// Writes `D` values of `rows` queries, each over the sum of its weights.
#[inline(always)]
fn put<const D: usize>(mixed: &[Lanes; D], sums: &Lanes, z: &mut [f32], d_model: usize, rows: usize) {
    for (d, mixed) in mixed.iter().enumerate() {
        for l in 0..rows {
            z[l * d_model + d] = mixed[l] / sums[l];
        }
    }
}
