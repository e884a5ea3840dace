//! Product keys on the CPU, a query at a time.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use crate::base::matrix::Matrix;
use crate::base::parallel::for_each;
use crate::base::softmax::softmax;
use crate::kernel::fused::{self, Fused};

/// Queries that are worth a thread's while.
const PART: usize = 64;

/// [`super::read`] of queries, both halves' keys, and values.
#[derive(Clone, Debug)]
pub struct Read {
    pub k: usize,
}

/// Pairs that a query found, by their first and second half-key, and their weights.
type Found = Vec<(usize, usize, f32)>;

/// Keys and values.
#[derive(Clone, Copy)]
struct Memory<'a> {
    keys: [&'a [f32]; 2],
    values: &'a [f32],
    half_keys: usize,
    half: usize,
    d_model: usize,
}

impl<'a> Memory<'a> {
    fn new(keys: [&'a FlexTensor; 2], values: &'a FlexTensor) -> Self {
        let ([half_keys, half], [_, d_model]) = (fused::dims(keys[0]), fused::dims(values));
        Self {
            keys: keys.map(fused::values),
            values: fused::values(values),
            half_keys,
            half,
            d_model,
        }
    }

    fn value(&self, first: usize, second: usize) -> std::ops::Range<usize> {
        let start = (first * self.half_keys + second) * self.d_model;
        start..start + self.d_model
    }

    fn key(&self, place: usize) -> std::ops::Range<usize> {
        place * self.half..(place + 1) * self.half
    }

    /// Pairs with the `k` largest scores of every query.
    fn find(&self, queries: &[f32], k: usize) -> Vec<Found> {
        let n = queries.len() / (2 * self.half);
        let rows = Matrix::new(queries, 2 * self.half);
        let scores = [0, 1].map(|at| {
            let mut scores = vec![0.0; n * self.half_keys];
            let halves = rows.columns(at * self.half..(at + 1) * self.half);
            let keys = Matrix::new(self.keys[at], self.half).transposed();
            halves.add_product(keys, &mut scores, self.half_keys);
            scores
        });
        let [first, second] = scores.each_ref().map(|scores| scores.chunks(self.half_keys));
        let of_query = |(first, second): (&[f32], &[f32])| {
            let [first, second] = [first, second].map(|scores| largest(scores, k));
            let sums: Vec<f32> =
                first.iter().flat_map(|(_, a)| second.iter().map(move |(_, b)| a + b)).collect();
            let best = largest(&sums, k);
            let mut weights: Vec<f32> = best.iter().map(|(_, score)| *score).collect();
            softmax(&mut weights, 1.0);
            let pair = |((at, _), weight): (&(usize, f32), f32)| {
                (first[at / k].0, second[at % k].0, weight)
            };
            best.iter().zip(weights).map(pair).collect()
        };
        first.zip(second).map(of_query).collect()
    }
}

/// Places and scores of the `k` largest, the largest first; of those that are equal, the first.
fn largest(scores: &[f32], k: usize) -> Vec<(usize, f32)> {
    let mut order: Vec<(usize, f32)> = scores.iter().copied().enumerate().collect();
    let by_score =
        |(a, x): &(usize, f32), (b, y): &(usize, f32)| y.total_cmp(x).then(a.cmp(b));
    if k < order.len() {
        order.select_nth_unstable_by(k - 1, by_score);
        order.truncate(k);
    }
    order.sort_by(by_score);
    order
}

impl Fused<Flex, 4> for Read {
    type Saved = Arc<Vec<Found>>;

    fn forward(&self, [q, first, second, values]: &[FlexTensor; 4]) -> (FlexTensor, Self::Saved) {
        let memory = Memory::new([first, second], values);
        let [batch, seq, d_key] = fused::dims(q);
        let mut found = vec![Vec::new(); (batch * seq).div_ceil(PART)];
        let mut z = vec![0.0; batch * seq * memory.d_model];
        let parts = z.chunks_mut(PART * memory.d_model).zip(&mut found);
        let parts = parts.zip(fused::values(q).chunks(PART * d_key)).collect();
        for_each(parts, |_, ((z, found), queries): ((&mut [f32], &mut Vec<Found>), &[f32])| {
            *found = memory.find(queries, self.k);
            for (found, z) in found.iter().zip(z.chunks_mut(memory.d_model)) {
                for (first, second, weight) in found {
                    let value = &memory.values[memory.value(*first, *second)];
                    z.iter_mut().zip(value).for_each(|(z, value)| *z += weight * value);
                }
            }
        });
        let found = found.into_iter().flatten().collect();
        (fused::tensor(z, [batch, seq, memory.d_model]), Arc::new(found))
    }

    fn backward(
        &self,
        [q, first, second, values]: &[FlexTensor; 4],
        found: &Self::Saved,
        dz: &FlexTensor,
    ) -> [Option<FlexTensor>; 4] {
        let memory = Memory::new([first, second], values);
        let shape @ [_, _, d_key] = fused::dims(q);
        let mut by_queries = vec![0.0; fused::values(q).len()];
        let mut by_keys = memory.keys.map(|keys| vec![0.0; keys.len()]);
        let mut by_values = vec![0.0; memory.values.len()];
        let queries = fused::values(q).chunks(d_key).zip(by_queries.chunks_mut(d_key));
        let rows = queries.zip(fused::values(dz).chunks(memory.d_model)).zip(&**found);
        for (((query, by_query), dz), found) in rows {
            let by_weight = |(first, second, _): &(usize, usize, f32)| {
                let value = &memory.values[memory.value(*first, *second)];
                value.iter().zip(dz).map(|(value, dz)| value * dz).sum::<f32>()
            };
            let by_weights: Vec<f32> = found.iter().map(by_weight).collect();
            let mean = found.iter().zip(&by_weights).map(|((.., w), by)| w * by).sum::<f32>();
            for ((first, second, weight), by_weight) in found.iter().zip(&by_weights) {
                let by_value = &mut by_values[memory.value(*first, *second)];
                by_value.iter_mut().zip(dz).for_each(|(by, dz)| *by += weight * dz);
                let by_score = weight * (by_weight - mean);
                for (at, place) in [*first, *second].into_iter().enumerate() {
                    let own = at * memory.half..(at + 1) * memory.half;
                    let key = &memory.keys[at][memory.key(place)];
                    let pairs = by_query[own.clone()].iter_mut().zip(key);
                    pairs.for_each(|(by, key)| *by += by_score * key);
                    let pairs = by_keys[at][memory.key(place)].iter_mut().zip(&query[own]);
                    pairs.for_each(|(by, q)| *by += by_score * q);
                }
            }
        }
        let [by_first, by_second] = by_keys;
        [
            Some(fused::tensor(by_queries, shape)),
            Some(fused::tensor(by_first, fused::dims::<2>(first))),
            Some(fused::tensor(by_second, fused::dims::<2>(second))),
            Some(fused::tensor(by_values, fused::dims::<2>(values))),
        ]
    }
}
