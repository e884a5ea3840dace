//! Memories in place of a feed-forward layer.

use std::sync::Arc;

use super::linear::{Linear, Parameters};
use crate::base::matrix::Matrix;
use crate::base::softmax;
use crate::arch::{ProductKeys, StoredMemory};
use crate::config::{Distance, ModelConfig};
use crate::memory::{Exact, Found};
use crate::arch::{EPSILON, SHARPNESS};

/// Queries of a memory for a prompt, and the slots found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recalled {
    /// Unit vectors: `[seq, d_key]`.
    pub queries: Vec<f32>,
    /// Keys and values to write: `[seq, d_key]` each.
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
    pub found: Found,
    /// Weight of each slot found, averaged over the heads if each has its own: `[seq, k]`. Rows sum to 1.
    pub weights: Vec<f32>,
}

/// Sharpness of the weighting that the memory at `name` has learned.
pub fn sharpness(parameters: Parameters, name: &str) -> f32 {
    SHARPNESS * parameters.required(&format!("{name}.sharpness"))[0].abs()
}

#[derive(Clone, Debug)]
pub struct MemoryLayer {
    q: Linear,
    written: Option<[Linear; 2]>,
    o: Linear,
    sharpness: f32,
    distance: Distance,
    top_k: usize,
    d_key: usize,
    store: Option<Arc<Exact>>,
}

impl MemoryLayer {
    pub fn new(part: StoredMemory, parameters: Parameters, name: &str) -> Self {
        let StoredMemory { is_associative, d_key, distance, top_k } = part;
        Self {
            q: parameters.linear(name, "Q"),
            written: is_associative.then(|| ["K", "V"].map(|of| parameters.linear(name, of))),
            o: parameters.linear(name, "O"),
            sharpness: sharpness(parameters, name),
            distance,
            top_k,
            d_key,
            store: None,
        }
    }

    pub fn remember(&mut self, store: Arc<Exact>) {
        self.store = Some(store);
    }

    /// Slots found, and the output to the residual stream.
    ///
    /// # Shapes
    /// `x` and the output: `[seq, d_model]`
    pub fn forward(&self, x: &[f32]) -> (Recalled, Vec<f32>) {
        let queries = unit(self.q.forward(x), self.d_key);
        let (keys, values) = match &self.written {
            Some([k, v]) => (unit(k.forward(x), self.d_key), v.forward(x)),
            None => (queries.clone(), queries.clone()),
        };
        let search = |store: &Arc<Exact>| store.search(&queries, self.top_k);
        let found = self.store.as_ref().map(search).transpose();
        let found = found.expect("queries are as wide as keys").unwrap_or_default();
        let mut weights = Vec::with_capacity(found.ids.len());
        let mut z = vec![0.0; queries.len()];
        if found.k > 0 {
            let by_token = found.k * self.d_key;
            let found = found.keys.chunks(by_token).zip(found.values.chunks(by_token));
            let tokens = queries.chunks(self.d_key).zip(z.chunks_mut(self.d_key));
            for ((query, z), (keys, values)) in tokens.zip(found) {
                let scores =
                    keys.chunks(self.d_key).map(|key| self.sharpness * self.score(query, key));
                let of_token = softmax(scores.collect());
                Matrix::new(&of_token, of_token.len()).add_product(
                    Matrix::new(values, self.d_key),
                    z,
                    self.d_key,
                );
                weights.extend(of_token);
            }
        }
        let is_empty = found.k == 0;
        let recalled = Recalled { queries, keys, values, found, weights };
        // An empty memory writes nothing, not even a bias.
        let out = if is_empty { vec![0.0; x.len()] } else { self.o.forward(&z) };
        (recalled, out)
    }

    fn score(&self, query: &[f32], key: &[f32]) -> f32 {
        match (&self.written, self.distance) {
            (None, Distance::L2) => -query
                .iter()
                .zip(key)
                .map(|(q, k)| (q - k).powi(2))
                .sum::<f32>()
                .max(EPSILON)
                .sqrt(),
            _ => query.iter().zip(key).map(|(q, k)| q * k).sum(),
        }
    }
}

/// Scales each row to length 1.
pub(super) fn unit(mut x: Vec<f32>, width: usize) -> Vec<f32> {
    for row in x.chunks_mut(width) {
        let length = (row.iter().map(|x| x * x).sum::<f32>() + EPSILON).sqrt();
        row.iter_mut().for_each(|x| *x /= length);
    }
    x
}

pub(super) fn softmax(mut scores: Vec<f32>) -> Vec<f32> {
    softmax::softmax(&mut scores, 1.0);
    scores
}

#[derive(Clone, Debug)]
pub struct ProductKey {
    q: Linear,
    keys: [Vec<f32>; 2], // [half_keys, d_key / 2]
    values: Vec<f32>,    // [half_keys², d_model]
    top_k: usize,
    d_key: usize,
    d_model: usize,
}

impl ProductKey {
    pub fn new(
        config: &ModelConfig,
        part: ProductKeys,
        parameters: Parameters,
        name: &str,
    ) -> Self {
        let required = |of: &str| parameters.required(&format!("{name}.{of}"));
        Self {
            q: parameters.linear(name, "Q"),
            keys: ["K_first", "K_second"].map(required),
            values: required("values"),
            top_k: part.top_k,
            d_key: part.d_key,
            d_model: config.d_model,
        }
    }

    /// Output to the residual stream.
    ///
    /// # Shapes
    /// `x` and the result: `[seq, d_model]`
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        self.q.forward(x).chunks(self.d_key).flat_map(|query| self.read(query)).collect()
    }

    fn read(&self, query: &[f32]) -> Vec<f32> {
        let half = self.d_key / 2;
        let half_keys = self.keys[0].len() / half;
        let k = self.top_k.min(half_keys);
        let [first, second] = [0, 1].map(|at| {
            let part = &query[at * half..][..half];
            let score = |key: &[f32]| part.iter().zip(key).map(|(q, k)| q * k).sum::<f32>();
            best(self.keys[at].chunks(half).map(score).collect(), k)
        });
        let pairs = first.iter().flat_map(|(a, _)| second.iter().map(move |(b, _)| a + b));
        let pairs = best(pairs.collect(), k);
        let weights = softmax(pairs.iter().map(|(score, _)| *score).collect());
        let mut z = vec![0.0; self.d_model];
        for (weight, (_, pair)) in weights.into_iter().zip(pairs) {
            let place = first[pair / k].1 * half_keys + second[pair % k].1;
            let value = &self.values[place * self.d_model..][..self.d_model];
            z.iter_mut().zip(value).for_each(|(z, value)| *z += weight * value);
        }
        z
    }
}

/// The `k` largest scores, largest first, each with its index.
fn best(scores: Vec<f32>, k: usize) -> Vec<(f32, usize)> {
    let mut scores: Vec<_> = scores.into_iter().zip(0..).collect();
    scores.sort_by(|(a, at), (b, bt)| b.total_cmp(a).then(at.cmp(bt)));
    scores.truncate(k);
    scores
}
