//! Samples after a prompt.

use serde::{Deserialize, Serialize};

use super::Score;
use crate::run::AnswerSource;

/// Samples of a model after one prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Training step of the model.
    pub step: usize,
    pub prompt: String,
    pub samples: Vec<ProbeSample>,
    /// By character: entropy of the prediction, in nats, summed over the samples that are long enough, and their
    /// number.
    pub entropies: Vec<(f64, usize)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeSample {
    pub text: String,
    /// Source of the answer.
    pub source: AnswerSource,
}

impl ProbeReport {
    /// Adds the entropies of one sample.
    pub fn add_entropies(&mut self, entropies: &[f64]) {
        if self.entropies.len() < entropies.len() {
            self.entropies.resize(entropies.len(), (0.0, 0));
        }
        for ((sum, count), entropy) in self.entropies.iter_mut().zip(entropies) {
            *sum += entropy;
            *count += 1;
        }
    }

    /// Mean entropy by character, in nats.
    pub fn mean_entropies(&self) -> Vec<f64> {
        self.entropies.iter().map(|(sum, count)| sum / (*count).max(1) as f64).collect()
    }

    /// Entropy of a full bar, in nats: the largest mean entropy, but at least 1, so that near certainty looks
    /// small.
    pub fn entropy_scale(&self) -> f64 {
        self.mean_entropies().into_iter().fold(1.0, f64::max)
    }

    /// Number of samples with an answer from `source`.
    pub fn of_source(&self, source: AnswerSource) -> Score {
        let right = self.samples.iter().filter(|sample| sample.source == source).count();
        Score { right, of: self.samples.len() }
    }
}
