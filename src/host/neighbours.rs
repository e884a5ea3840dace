//! Nearest neighbours: tokens that followed similar contexts, mixed into the prediction.

use std::sync::Arc;

use super::memory::{Recalled, softmax, unit};
use crate::config::ModelConfig;
use crate::memory::Exact;
use crate::arch::SHARPNESS;

#[derive(Clone, Debug)]
pub struct Neighbours {
    lambda: f32,
    top_k: usize,
    store: Option<Arc<Exact>>,
}

impl Neighbours {
    /// Nearest neighbours of a model; `None` if it uses none.
    pub fn new(config: &ModelConfig) -> Option<Self> {
        let (lambda, top_k) = (config.memory.lambda as f32, config.memory.top_k);
        (lambda > 0.0).then_some(Self { lambda, top_k, store: None })
    }

    pub fn remember(&mut self, store: Arc<Exact>) {
        self.store = Some(store);
    }

    /// Mixes the neighbours' tokens into the logits of each token, and returns the look-up.
    ///
    /// # Shapes
    /// `normed`: `[seq, d_model]`; `logits`: `[seq, vocab]`
    pub fn mix(&self, normed: &[f32], d_model: usize, logits: &mut [f32]) -> Option<Recalled> {
        let queries = unit(normed.to_vec(), d_model);
        let found = self.store.as_ref()?.search(&queries, self.top_k);
        let found = found.expect("queries are as wide as keys");
        let mut weights = Vec::with_capacity(found.ids.len());
        let (k, vocab) = (found.k, logits.len() / (queries.len() / d_model).max(1));
        if k > 0 {
            let of_token = found.distances.chunks(k).zip(found.values.chunks(k));
            for (logits, (distances, next)) in logits.chunks_mut(vocab).zip(of_token) {
                let scores = distances.iter().map(|distance| -SHARPNESS * distance);
                let theirs = softmax(scores.collect());
                let mut p = softmax(logits.to_vec());
                p.iter_mut().for_each(|p| *p *= 1.0 - self.lambda);
                for (token, weight) in next.iter().zip(&theirs) {
                    if let Some(p) = p.get_mut(*token as usize) {
                        *p += self.lambda * weight;
                    }
                }
                let logs = logits.iter_mut().zip(p);
                logs.for_each(|(logit, p)| *logit = p.max(f32::MIN_POSITIVE).ln());
                weights.extend(theirs);
            }
        }
        Some(Recalled { keys: queries.clone(), values: Vec::new(), queries, found, weights })
    }
}
