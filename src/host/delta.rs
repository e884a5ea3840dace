//! The delta rule of all heads, and the state it keeps: see [`DeltaRule`](crate::model).

use super::heads::Heads;
use super::intervene::Interventions;
use super::linear::{Linear, Parameters};
use super::mixed::Mixed;
use crate::arch::Side;
use crate::arch::mixer::LENGTH_EPS;
use crate::base::matrix::Matrix;
use crate::config::ModelConfig;
use crate::run::Site;

#[derive(Clone, Debug)]
pub struct DeltaRule {
    pub heads: Heads,
    beta: Linear, // [d_model, n_heads]
}

/// State after some tokens: `[head, d_head, d_head]`, keys by values.
#[derive(Clone, Debug, Default)]
pub struct DeltaState {
    values: Vec<f32>,
    tokens: usize,
}

impl DeltaState {
    /// Numbers that it holds, whatever the number of tokens.
    pub fn numbers(&self) -> usize {
        self.values.len()
    }
}

/// Queries, keys and values, `[seq, n_heads * d_head]` each, and the strengths of corrections, `[seq, n_heads]`.
struct Projected {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    beta: Vec<f32>,
}

impl DeltaRule {
    pub fn new(config: &ModelConfig, parameters: Parameters, name: &str) -> Self {
        let beta = parameters.linear(name, "beta");
        Self { heads: Heads::new(config, parameters, name), beta }
    }

    /// Head outputs of tokens that follow those in `state`, and join them: `[seq, n_heads * d_head]`. There is no
    /// pattern to intervene on.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn decode(&self, x: &[f32], state: &mut DeltaState, edits: Interventions) -> Vec<f32> {
        let (heads, d_head) = (&self.heads, self.heads.d_head);
        let width = heads.width();
        let Projected { q, k, v, beta } = self.project(x, state.tokens);
        state.values.resize(heads.n_heads * d_head * d_head, 0.0);
        let mut z = vec![0.0; q.len()];
        let mut correction = vec![0.0; d_head];
        for token in 0..q.len() / width {
            for head in 0..heads.n_heads {
                let own = token * width + head * d_head..token * width + (head + 1) * d_head;
                let (q, k, v) = (&q[own.clone()], &k[own.clone()], &v[own.clone()]);
                let beta = beta[token * heads.n_heads + head];
                let values = &mut state.values[head * d_head * d_head..][..d_head * d_head];
                correction.copy_from_slice(v);
                for (k, values) in k.iter().zip(values.chunks(d_head)) {
                    correction.iter_mut().zip(values).for_each(|(sum, value)| *sum -= k * value);
                }
                let z = &mut z[own];
                for ((q, k), values) in q.iter().zip(k).zip(values.chunks_mut(d_head)) {
                    for ((z, value), correction) in z.iter_mut().zip(values).zip(&correction) {
                        *value += beta * k * correction;
                        *z += q * *value;
                    }
                }
            }
        }
        for head in 0..heads.n_heads {
            heads.finish(head, &mut z[head * d_head..], edits);
        }
        state.tokens += q.len() / width;
        z
    }

    /// Activations of a whole prompt. Its patterns are the weights of values in outputs, which may be negative: what is
    /// left of a token's key, `β_s k_s`, after each later token has taken its own direction out, times the query.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn record(&self, x: &[f32], edits: Interventions) -> Mixed {
        let (heads, d_head) = (&self.heads, self.heads.d_head);
        let width = heads.width();
        let Projected { q, k, v, beta } = self.project(x, 0);
        let seq = q.len() / width;
        let mut pattern = vec![0.0; heads.n_heads * seq * seq];
        let mut z = vec![0.0; q.len()];
        for (head, pattern) in pattern.chunks_mut((seq * seq).max(1)).enumerate() {
            let own =
                |of: &[f32], token: usize| of[token * width + head * d_head..][..d_head].to_vec();
            let mut left: Vec<Vec<f32>> = Vec::with_capacity(seq);
            for (token, row) in pattern.chunks_mut(seq).enumerate() {
                let (query, key, beta) =
                    (own(&q, token), own(&k, token), beta[token * heads.n_heads + head]);
                for left in &mut left {
                    let taken = beta * product(left, &key);
                    left.iter_mut().zip(&key).for_each(|(left, key)| *left -= taken * key);
                }
                left.push(key.iter().map(|key| beta * key).collect());
                row.iter_mut()
                    .zip(&left)
                    .for_each(|(weight, left)| *weight = product(left, &query));
            }
            edits.apply(|layer| Site::Pattern { layer, head }, pattern, seq, seq);
            let z = &mut z[heads.own(head).start..];
            let v = Matrix::new(&v, width).columns(heads.own(head));
            Matrix::new(pattern, seq).add_product(v, z, width);
            heads.finish(head, z, edits);
        }
        Mixed { q, k, v, pattern, z, gates: beta, recalled: None }
    }

    fn project(&self, x: &[f32], start: usize) -> Projected {
        let heads = &self.heads;
        let [q, k, v] = heads.project(x);
        let q = heads.apply_rope(q, Side::Queries, start);
        let k = heads.apply_rope(k, Side::Keys, start);
        let unit = |mut x: Vec<f32>| {
            for x in x.chunks_mut(heads.d_head) {
                x.iter_mut().for_each(|x| *x /= 1.0 + (-*x).exp());
                let length = (product(x, x) + LENGTH_EPS).sqrt();
                x.iter_mut().for_each(|x| *x /= length);
            }
            x
        };
        let mut beta = self.beta.forward(x);
        beta.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
        Projected { q: unit(q), k: heads.of_all_heads(&unit(k)), v: heads.of_all_heads(&v), beta }
    }
}

fn product(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
