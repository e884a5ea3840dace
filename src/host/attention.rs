//! Causal attention of all heads, and its cache of keys and values.

use std::f32::consts::LOG2_E;
use std::sync::Arc;

use super::heads::Heads;
use super::intervene::Interventions;
use super::linear::Parameters;
use super::memorizing::{Memorizing, Remembered};
use super::memory::Recalled;
use super::mixed::Mixed;
use crate::arch::{Side, SoftmaxAttention};
use crate::base::lanes::{exp2, wide};
use crate::base::matrix::Matrix;
use crate::config::ModelConfig;
use crate::memory::Exact;
use crate::run::Site;

#[derive(Clone, Debug)]
pub struct Attention {
    pub heads: Heads,
    window: Option<usize>,
    memory: Option<Memorizing>,
}

/// Keys and values of the tokens so far that a later one may see, `[token, kv_heads * d_head]`.
#[derive(Clone, Debug, Default)]
pub struct KeyValues {
    k: Vec<f32>,
    v: Vec<f32>,
    /// Tokens before them.
    forgotten: usize,
}

impl KeyValues {
    /// Numbers that it holds.
    pub fn numbers(&self) -> usize {
        self.k.len() + self.v.len()
    }

    /// Drops all but the last `tokens`, of `width` numbers each.
    fn keep(&mut self, tokens: usize, width: usize) {
        let extra = (self.k.len() / width).saturating_sub(tokens);
        self.k.drain(..extra * width);
        self.v.drain(..extra * width);
        self.forgotten += extra;
    }
}

/// Result of attention on some tokens.
struct Read {
    q: Vec<f32>, // [seq, n_heads * d_head]
    z: Vec<f32>, // [seq, n_heads * d_head]
    /// Memory look-up.
    recalled: Option<Recalled>,
}

impl Attention {
    pub fn new(
        config: &ModelConfig,
        part: SoftmaxAttention,
        parameters: Parameters,
        name: &str,
    ) -> Self {
        let memory = part.memory.map(|part| Memorizing::new(config, part, parameters, name));
        Self { heads: Heads::new(config, parameters, name), window: part.window, memory }
    }

    /// Sets the store of the memory, if there is one.
    pub fn remember(&mut self, store: Arc<Exact>) {
        if let Some(memory) = &mut self.memory {
            memory.remember(store);
        }
    }

    /// Head outputs of tokens that follow those in `cache`, and join them: `[seq, n_heads * d_head]`.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn decode(&self, x: &[f32], cache: &mut KeyValues, edits: Interventions) -> Vec<f32> {
        let z = self.read(x, cache, edits, |_| ()).z;
        // An edited pattern may weigh a token that is out of sight.
        if let Some(window) = self.window.filter(|_| edits.all.is_empty()) {
            cache.keep(window - 1, self.heads.kv_width());
        }
        z
    }

    /// Attention of tokens to those in `cache` and to each other. Appends them to the cache, and gives the pattern of each head
    /// to `keep`, `[seq, token]`.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    fn read(
        &self,
        x: &[f32],
        cache: &mut KeyValues,
        edits: Interventions,
        mut keep: impl FnMut(&[f32]),
    ) -> Read {
        let heads = &self.heads;
        let (width, kv_width) = (heads.width(), heads.kv_width());
        let before = cache.forgotten + cache.k.len() / kv_width;
        let [q, k, v] = heads.project(x);
        let all = |of: &[f32]| heads.of_all_heads(of);
        let remembered = self.memory.as_ref().map(|memory| memory.read(&q, &all(&k), all(&v)));
        let q = heads.apply_rope(q, Side::Queries, before);
        cache.k.extend(heads.apply_rope(k, Side::Keys, before));
        cache.v.extend(v);
        let seq = q.len() / width;
        let tokens = before + seq;
        let mut pattern = vec![0.0; seq * tokens];
        let held = cache.forgotten.min(pattern.len())..;
        let mut z = vec![0.0; q.len()];
        // Of no tokens there is nothing to read.
        let reading = if seq > 0 { heads.n_heads } else { 0 };
        for head in 0..reading {
            pattern.fill(0.0);
            let q = Matrix::new(&q, width).columns(heads.own(head));
            let shared = heads.own(head / heads.readers());
            let [k, v] =
                [&cache.k, &cache.v].map(|of| Matrix::new(of, kv_width).columns(shared.clone()));
            q.add_product(k.transposed(), &mut pattern[held.clone()], tokens);
            for (query, row) in pattern.chunks_mut(tokens).enumerate() {
                let (seen, later) = row.split_at_mut(before + query + 1);
                let first = self.window.map_or(0, |window| seen.len().saturating_sub(window));
                let (earlier, seen) = seen.split_at_mut(first);
                softmax(seen, (heads.d_head as f32).sqrt().recip());
                earlier.fill(0.0);
                later.fill(0.0);
            }
            edits.apply(|layer| Site::Pattern { layer, head }, &mut pattern, tokens, tokens);
            let z = &mut z[heads.own(head).start..];
            let held = Matrix::new(&pattern, tokens).columns(cache.forgotten..tokens);
            held.add_product(v, z, width);
            if let Some(remembered) = &remembered {
                remembered.mix(head, z);
            }
            heads.finish(head, z, edits);
            keep(&pattern);
        }
        let recalled = remembered.map(|Remembered { recalled, .. }| recalled);
        Read { q, z, recalled }
    }

    /// Activations for a whole prompt.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn record(&self, x: &[f32], edits: Interventions) -> Mixed {
        let mut cache = KeyValues::default();
        let mut pattern = Vec::new();
        let keep = |of_head: &[f32]| pattern.extend_from_slice(of_head);
        let Read { q, z, recalled } = self.read(x, &mut cache, edits, keep);
        let (k, v) = (self.heads.of_all_heads(&cache.k), self.heads.of_all_heads(&cache.v));
        Mixed { q, k, v, pattern, z, gates: Vec::new(), recalled }
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
