//! Causal attention of all heads, and the keys and values it keeps.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use super::edit::Edits;
use super::linear::{Linear, Parameters};
use super::matrix::Matrix;
use crate::config::ModelConfig;
use crate::edit::Site;
use crate::kernel::lanes::{exp2, wide};

pub struct Attention {
    n_heads: usize,
    d_head: usize,
    q: Linear, // [d_model, n_heads * d_head]
    k: Linear,
    v: Linear,
    pub o: Linear, // [n_heads * d_head, d_model]
}

/// Keys and values of the tokens so far, `[token, n_heads * d_head]`.
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
}

impl Attention {
    pub fn new(config: &ModelConfig, parameters: Parameters, name: &str) -> Self {
        let [q, k, v, o] = ["Q", "K", "V", "O"].map(|of| parameters.linear(name, of));
        Self { n_heads: config.n_heads, d_head: config.d_head(), q, k, v, o }
    }

    /// What tokens read from those in `cache` and each other; they join the cache.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn read(&self, x: &[f32], cache: &mut KeyValues, edits: Edits) -> Read {
        let width = self.n_heads * self.d_head;
        let q = self.q.forward(x);
        cache.k.extend(self.k.forward(x));
        cache.v.extend(self.v.forward(x));
        let (seq, tokens) = (q.len() / width, cache.k.len() / width);
        let before = tokens - seq;
        let mut pattern = vec![0.0; self.n_heads * seq * tokens];
        let mut z = vec![0.0; q.len()];
        for (head, pattern) in pattern.chunks_mut((seq * tokens).max(1)).enumerate() {
            let [q, k, v] =
                [&q, &cache.k, &cache.v].map(|of| Matrix::new(of, width).columns(self.own(head)));
            q.add_product(k.transposed(), pattern, tokens);
            for (query, row) in pattern.chunks_mut(tokens).enumerate() {
                let (seen, later) = row.split_at_mut(before + query + 1);
                softmax(seen, (self.d_head as f32).sqrt().recip());
                later.fill(0.0);
            }
            edits.apply(|layer| Site::Pattern { layer, head }, pattern, tokens, tokens);
            let z = &mut z[self.own(head).start..];
            Matrix::new(pattern, tokens).add_product(v, z, width);
            edits.apply(|layer| Site::Head { layer, head }, z, self.d_head, width);
        }
        Read { q, pattern, z }
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
