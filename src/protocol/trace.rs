//! A traced prompt: attention patterns and predictions.

use serde::{Deserialize, Serialize};

use super::{Alternative, Cost};

/// Attention patterns of one forward pass over the inspected prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    pub step: usize,
    /// Name of the model whose patterns are subtracted from these, if any.
    pub against: Option<String>,
    /// Tokens of the prompt; only the first ones if it was too long to trace whole.
    pub tokens: Vec<String>,
    /// Number of tokens in the whole prompt.
    pub prompt_len: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    /// `[layer, head, query, key]`, row by row; what each query reads of the keys up to it, which under a
    /// softmax sums to 1.
    pub patterns: Vec<f32>,
}

/// Predictions of a model after each token of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Likeliest first, at most `ALTERNATIVES`.
    pub next: Vec<Vec<Alternative>>,
    /// Token sampled with the seed, after each token.
    pub drawn: Vec<String>,
    /// Entropy at temperature 1, in nats.
    pub entropies: Vec<f32>,
    /// Cost of each token but the first. It is empty up to a record's first character, because neither that
    /// character nor a memory token before it is predicted.
    pub costs: Vec<Cost>,
}

impl Trace {
    /// Pattern of one head: `seq × seq`, `[query, key]`.
    pub fn pattern(&self, layer: usize, head: usize) -> &[f32] {
        let size = self.tokens.len() * self.tokens.len();
        let start = (layer * self.n_heads + head) * size;
        &self.patterns[start..start + size]
    }

    /// Mean pattern of a layer's heads: `seq × seq`, `[query, key]`.
    pub fn layer_mean(&self, layer: usize) -> Vec<f32> {
        let mut mean = vec![0.0; self.tokens.len() * self.tokens.len()];
        for head in 0..self.n_heads {
            for (sum, value) in mean.iter_mut().zip(self.pattern(layer, head)) {
                *sum += value / self.n_heads as f32;
            }
        }
        mean
    }
}
