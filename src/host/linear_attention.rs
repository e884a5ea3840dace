//! Causal linear attention of all heads, and the sums it keeps.

use super::heads::Heads;
use super::intervene::Interventions;
use super::linear::Parameters;
use super::mixed::Mixed;
use crate::arch::Side;
use crate::arch::mixer::FeatureMap;
use crate::base::matrix::Matrix;
use crate::config::ModelConfig;
use crate::run::Site;

#[derive(Clone, Debug)]
pub struct LinearAttention {
    pub heads: Heads,
    feature_map: FeatureMap,
}

/// Sums over the tokens so far: of `φ(k) vᵀ`, `[head, d_head, d_head]`, and of `φ(k)`, `[head, d_head]`.
#[derive(Clone, Debug, Default)]
pub struct LinearState {
    values: Vec<f32>,
    keys: Vec<f32>,
    tokens: usize,
}

impl LinearState {
    /// Numbers that it holds, whatever the number of tokens.
    pub fn numbers(&self) -> usize {
        self.values.len() + self.keys.len()
    }
}

impl LinearAttention {
    pub fn new(
        config: &ModelConfig,
        feature_map: FeatureMap,
        parameters: Parameters,
        name: &str,
    ) -> Self {
        Self { heads: Heads::new(config, parameters, name), feature_map }
    }

    /// Head outputs of tokens that follow those in `state`, and join them: `[seq, n_heads * d_head]`. There is no
    /// pattern to intervene on.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn decode(&self, x: &[f32], state: &mut LinearState, edits: Interventions) -> Vec<f32> {
        let (heads, d_head) = (&self.heads, self.heads.d_head);
        let width = heads.width();
        let [q, k, v] = self.project(x, state.tokens);
        state.values.resize(heads.n_heads * d_head * d_head, 0.0);
        state.keys.resize(width, 0.0);
        let mut z = vec![0.0; q.len()];
        for token in 0..q.len() / width {
            for head in 0..heads.n_heads {
                let own = token * width + head * d_head..token * width + (head + 1) * d_head;
                let (q, k, v) = (&q[own.clone()], &k[own.clone()], &v[own.clone()]);
                let keys = &mut state.keys[head * d_head..][..d_head];
                keys.iter_mut().zip(k).for_each(|(sum, k)| *sum += k);
                let total: f32 = q.iter().zip(&*keys).map(|(q, sum)| q * sum).sum();
                let z = &mut z[own];
                let sums = &mut state.values[head * d_head * d_head..][..d_head * d_head];
                for ((q, k), sums) in q.iter().zip(k).zip(sums.chunks_mut(d_head)) {
                    for ((z, sum), v) in z.iter_mut().zip(sums).zip(v) {
                        *sum += k * v;
                        *z += q * *sum;
                    }
                }
                let share = self.share(total);
                z.iter_mut().for_each(|z| *z *= share);
            }
        }
        for head in 0..heads.n_heads {
            heads.finish(head, &mut z[head * d_head..], edits);
        }
        state.tokens += q.len() / width;
        z
    }

    /// Activations of a whole prompt. Its patterns are the weights of values: their rows sum to 1 if they are
    /// normalized.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn record(&self, x: &[f32], edits: Interventions) -> Mixed {
        let (heads, width) = (&self.heads, self.heads.width());
        let [q, k, v] = self.project(x, 0);
        let seq = q.len() / width;
        let mut pattern = vec![0.0; heads.n_heads * seq * seq];
        let mut z = vec![0.0; q.len()];
        for (head, pattern) in pattern.chunks_mut((seq * seq).max(1)).enumerate() {
            let [q, k, v] = [&q, &k, &v].map(|x| Matrix::new(x, width).columns(heads.own(head)));
            q.add_product(k.transposed(), pattern, seq);
            for (query, row) in pattern.chunks_mut(seq).enumerate() {
                let (seen, later) = row.split_at_mut(query + 1);
                let share = self.share(seen.iter().sum());
                seen.iter_mut().for_each(|weight| *weight *= share);
                later.fill(0.0);
            }
            edits.apply(|layer| Site::Pattern { layer, head }, pattern, seq, seq);
            let z = &mut z[heads.own(head).start..];
            Matrix::new(pattern, seq).add_product(v, z, width);
            heads.finish(head, z, edits);
        }
        Mixed { q, k, v, pattern, z, gates: Vec::new(), recalled: None }
    }

    /// Features of queries and keys, and values, from position `start` on: `[seq, n_heads * d_head]` each.
    fn project(&self, x: &[f32], start: usize) -> [Vec<f32>; 3] {
        let heads = &self.heads;
        let [q, k, v] = heads.project(x);
        let q = heads.apply_rope(q, Side::Queries, start);
        let k = heads.apply_rope(k, Side::Keys, start);
        let features = |x: Vec<f32>| -> Vec<f32> {
            match self.feature_map {
                FeatureMap::Elu => x.into_iter().map(elu_plus_one).collect(),
                FeatureMap::Identity => x,
            }
        };
        [features(q), heads.of_all_heads(&features(k)), heads.of_all_heads(&v)]
    }

    /// The factor on an output whose weights sum to `total`.
    fn share(&self, total: f32) -> f32 {
        match self.feature_map {
            FeatureMap::Elu => total.recip(),
            FeatureMap::Identity => (self.heads.d_head as f32).sqrt().recip(),
        }
    }
}

fn elu_plus_one(x: f32) -> f32 {
    if x > 0.0 { x + 1.0 } else { x.exp() }
}
