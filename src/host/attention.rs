//! Causal attention of all heads, and its cache of keys and values.

use std::f32::consts::LOG2_E;
use std::sync::Arc;

use super::heads::Heads;
use super::intervene::Interventions;
use super::linear::Parameters;
use super::memorizing::{Memorizing, Remembered};
use super::memory::Recalled;
use super::mixed::Mixed;
use crate::arch::SoftmaxAttention;
use crate::base::lanes::{exp2, wide};
use crate::base::matrix::Matrix;
use crate::config::ModelConfig;
use crate::memory::Exact;
use crate::run::Site;

#[derive(Clone, Debug)]
pub struct Attention {
    pub heads: Heads,
    memory: Option<Memorizing>,
}

/// Keys and values of the tokens so far, `[token, kv_heads * d_head]`.
#[derive(Clone, Debug, Default)]
pub struct KeyValues {
    pub k: Vec<f32>,
    pub v: Vec<f32>,
}

/// Result of attention on some tokens.
pub struct Read {
    pub q: Vec<f32>,       // [seq, n_heads * d_head]
    pub pattern: Vec<f32>, // [head, seq, token]
    pub z: Vec<f32>,       // [seq, n_heads * d_head]
    /// Memory look-up.
    pub recalled: Option<Recalled>,
}

impl Attention {
    pub fn new(
        config: &ModelConfig,
        part: SoftmaxAttention,
        parameters: Parameters,
        name: &str,
    ) -> Self {
        let memory = part.memory.map(|part| Memorizing::new(config, part, parameters, name));
        Self { heads: Heads::new(config, parameters, name), memory }
    }

    /// Sets the store of the memory, if there is one.
    pub fn remember(&mut self, store: Arc<Exact>) {
        if let Some(memory) = &mut self.memory {
            memory.remember(store);
        }
    }

    /// Attention of tokens to those in `cache` and to each other. Appends them to the cache.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn read(&self, x: &[f32], cache: &mut KeyValues, edits: Interventions) -> Read {
        let heads = &self.heads;
        let (width, kv_width) = (heads.width(), heads.kv_width());
        let before = cache.k.len() / kv_width;
        let [q, k, v] = heads.project(x);
        let all = |of: &[f32]| heads.of_all_heads(of);
        let remembered = self.memory.as_ref().map(|memory| memory.read(&q, &all(&k), all(&v)));
        let q = heads.apply_rope(q, width, before);
        cache.k.extend(heads.apply_rope(k, kv_width, before));
        cache.v.extend(v);
        let seq = q.len() / width;
        let tokens = before + seq;
        let mut pattern = vec![0.0; heads.n_heads * seq * tokens];
        let mut z = vec![0.0; q.len()];
        for (head, pattern) in pattern.chunks_mut((seq * tokens).max(1)).enumerate() {
            let q = Matrix::new(&q, width).columns(heads.own(head));
            let shared = heads.own(head / heads.readers());
            let [k, v] =
                [&cache.k, &cache.v].map(|of| Matrix::new(of, kv_width).columns(shared.clone()));
            q.add_product(k.transposed(), pattern, tokens);
            for (query, row) in pattern.chunks_mut(tokens).enumerate() {
                let (seen, later) = row.split_at_mut(before + query + 1);
                softmax(seen, (heads.d_head as f32).sqrt().recip());
                later.fill(0.0);
            }
            edits.apply(|layer| Site::Pattern { layer, head }, pattern, tokens, tokens);
            let z = &mut z[heads.own(head).start..];
            Matrix::new(pattern, tokens).add_product(v, z, width);
            if let Some(remembered) = &remembered {
                remembered.mix(head, z);
            }
            heads.finish(head, z, edits);
        }
        let recalled = remembered.map(|Remembered { recalled, .. }| recalled);
        Read { q, pattern, z, recalled }
    }

    /// Activations for a whole prompt.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn record(&self, x: &[f32], edits: Interventions) -> Mixed {
        let mut cache = KeyValues::default();
        let Read { q, pattern, z, recalled } = self.read(x, &mut cache, edits);
        let (k, v) = (self.heads.of_all_heads(&cache.k), self.heads.of_all_heads(&cache.v));
        Mixed { q, k, v, pattern, z, recalled }
    }
}

wide! {
    /// `softmax(scale x)`, in place.
    fn softmax(x: &mut [f32], scale: f32) {
        let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let scale = scale * LOG2_E;
        x.iter_mut().for_each(|x| *x = exp2::<FMA>((*x - largest) * scale));
        let share = x.iter().sum::<f32>().recip();
        x.iter_mut().for_each(|x| *x *= share);
    }
}
