//! Causal attention of all heads, and the keys and values it keeps.

use std::f32::consts::LOG2_E;
use std::ops::Range;
use std::sync::Arc;

use super::edit::Edits;
use super::linear::{Linear, Parameters};
use super::matrix::Matrix;
use super::memorizing::{Memorizing, Remembered};
use super::memory::Recalled;
use super::norm::Norm;
use crate::config::{ModelConfig, Positions};
use crate::edit::Site;
use crate::kernel::lanes::{exp2, wide};
use crate::kernel::layer_norm::Scaling;
use crate::memory::Exact;
use crate::model::attention::contribution;
use crate::model::rotary::angle;

#[derive(Clone, Debug)]
pub struct Attention {
    n_heads: usize,
    kv_heads: usize,
    d_head: usize,
    q: Linear,     // [d_model, n_heads * d_head]
    k: Linear,     // [d_model, kv_heads * d_head]
    v: Linear,     // [d_model, kv_heads * d_head]
    pub o: Linear, // [n_heads * d_head, d_model]
    q_norm: Norm,  // [d_head]
    k_norm: Norm,  // [d_head]
    /// Of rotary positions.
    rope_base: Option<f64>,
    /// What each head's values are multiplied by: `[n_heads]`; empty for 1.
    shares: Vec<f32>,
    memory: Option<Memorizing>,
}

/// Keys and values of the tokens so far, `[token, kv_heads * d_head]`.
#[derive(Clone, Debug, Default)]
pub struct KeyValues {
    pub k: Vec<f32>,
    pub v: Vec<f32>,
}

/// What the heads read.
pub struct Read {
    pub q: Vec<f32>,       // [seq, n_heads * d_head]
    pub pattern: Vec<f32>, // [head, seq, token]
    pub z: Vec<f32>,       // [seq, n_heads * d_head]
    /// Of attention with a memory.
    pub recalled: Option<Recalled>,
}

impl Attention {
    pub fn new(config: &ModelConfig, parameters: Parameters, name: &str) -> Self {
        let [q, k, v, o] = ["Q", "K", "V", "O"].map(|of| parameters.linear(name, of));
        let scaling = Scaling { is_centred: false, ..Scaling::of(config) };
        let [q_norm, k_norm] = ["q_norm", "k_norm"]
            .map(|norm| Norm::new(scaling, parameters, &format!("{name}.{norm}")));
        let (n_heads, kv_heads, d_head) = (config.n_heads, config.kv_heads(), config.d_head());
        let rope_base = (config.positions == Positions::Rotary).then_some(config.rope_base);
        let contributions = parameters.get(&format!("{name}.contribution")).unwrap_or_default();
        let shares = contributions.iter().map(|of| contribution(*of)).collect();
        let memory = Memorizing::new(config, parameters, name);
        Self { n_heads, kv_heads, d_head, q, k, v, o, q_norm, k_norm, rope_base, shares, memory }
    }

    /// Has its memory, if it has one, read from this store.
    pub fn remember(&mut self, store: Arc<Exact>) {
        if let Some(memory) = &mut self.memory {
            memory.remember(store);
        }
    }

    /// What tokens read from those in `cache` and each other; they join the cache.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn read(&self, x: &[f32], cache: &mut KeyValues, edits: Edits) -> Read {
        let (width, kv_width) = (self.n_heads * self.d_head, self.kv_heads * self.d_head);
        let before = cache.k.len() / kv_width;
        let q = self.q_norm.forward(&self.q.forward(x));
        let k = self.k_norm.forward(&self.k.forward(x));
        let v = self.v.forward(x);
        let all = |of: &[f32]| self.of_all_heads(of);
        let remembered = self.memory.as_ref().map(|memory| memory.read(&q, &all(&k), all(&v)));
        let q = self.turn(q, width, before);
        cache.k.extend(self.turn(k, kv_width, before));
        cache.v.extend(v);
        let seq = q.len() / width;
        let tokens = before + seq;
        let mut pattern = vec![0.0; self.n_heads * seq * tokens];
        let mut z = vec![0.0; q.len()];
        for (head, pattern) in pattern.chunks_mut((seq * tokens).max(1)).enumerate() {
            let q = Matrix::new(&q, width).columns(self.own(head));
            let shared = self.own(head / self.readers());
            let [k, v] =
                [&cache.k, &cache.v].map(|of| Matrix::new(of, kv_width).columns(shared.clone()));
            q.add_product(k.transposed(), pattern, tokens);
            for (query, row) in pattern.chunks_mut(tokens).enumerate() {
                let (seen, later) = row.split_at_mut(before + query + 1);
                softmax(seen, (self.d_head as f32).sqrt().recip());
                later.fill(0.0);
            }
            edits.apply(|layer| Site::Pattern { layer, head }, pattern, tokens, tokens);
            let z = &mut z[self.own(head).start..];
            Matrix::new(pattern, tokens).add_product(v, z, width);
            if let Some(remembered) = &remembered {
                remembered.mix(head, z);
            }
            if let Some(share) = self.shares.get(head) {
                let rows = z.chunks_mut(width).flat_map(|row| &mut row[..self.d_head]);
                rows.for_each(|z| *z *= share);
            }
            edits.apply(|layer| Site::Head { layer, head }, z, self.d_head, width);
        }
        let recalled = remembered.map(|Remembered { recalled, .. }| recalled);
        Read { q, pattern, z, recalled }
    }

    /// What each head writes into the residual stream: `[head, seq, d_model]`.
    ///
    /// # Shapes
    /// `z`: `[seq, n_heads * d_head]`
    pub fn by_head(&self, z: &[f32], d_model: usize) -> Vec<f32> {
        let width = self.n_heads * self.d_head;
        let (seq, z) = (z.len() / width, Matrix::new(z, width));
        let mut out = vec![0.0; seq * self.n_heads * d_model];
        for (head, out) in out.chunks_mut((seq * d_model).max(1)).enumerate() {
            let own = self.own(head);
            z.columns(own.clone()).add_product(self.o.matrix().rows(own), out, d_model);
        }
        out
    }

    /// Keys or values, `[seq, kv_heads * d_head]`, once for each head that reads them:
    /// `[seq, n_heads * d_head]`.
    pub fn of_all_heads(&self, x: &[f32]) -> Vec<f32> {
        x.chunks(self.d_head).flat_map(|head| head.repeat(self.readers())).collect()
    }

    /// Heads that read the same keys and values.
    fn readers(&self) -> usize {
        self.n_heads / self.kv_heads
    }

    /// Queries or keys, `[seq, width]`, through the rotation of each head, at places from `start`.
    fn turn(&self, mut x: Vec<f32>, width: usize, start: usize) -> Vec<f32> {
        let Some(base) = self.rope_base else { return x };
        let half = self.d_head / 2;
        for (row, place) in x.chunks_mut(width).zip(start..) {
            for pair in 0..half {
                let (sin, cos) = angle(place, pair, self.d_head, base).sin_cos();
                let (sin, cos) = (sin as f32, cos as f32);
                for head in row.chunks_mut(self.d_head) {
                    let (a, b) = (head[pair], head[pair + half]);
                    head[pair] = a * cos - b * sin;
                    head[pair + half] = b * cos + a * sin;
                }
            }
        }
        x
    }

    /// Where a head's values lie among a token's.
    fn own(&self, head: usize) -> Range<usize> {
        head * self.d_head..(head + 1) * self.d_head
    }
}

wide! {
    /// `softmax(scale x)`, in place.
    fn softmax(x: &mut [f32], scale: f32) {
        let greatest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let scale = scale * LOG2_E;
        x.iter_mut().for_each(|x| *x = exp2::<FMA>((*x - greatest) * scale));
        let share = x.iter().sum::<f32>().recip();
        x.iter_mut().for_each(|x| *x *= share);
    }
}
