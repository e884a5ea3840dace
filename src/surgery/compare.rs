//! Difference between the logits of two models.

use std::fmt;

use crate::checkpoint::Checkpoint;
use crate::figure::show;
use crate::arch::Layout;
use crate::host::{Cache, HostModel};
use crate::generate::log_sum_exp;

/// Most tokens of a prompt to compare, without memory tokens.
const MAX_TOKENS: usize = 64;

/// Change of the logits on a prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Absolute difference of a logit: largest and mean.
    pub largest: f32,
    pub mean: f32,
    /// Kullback-Leibler divergence KL(before ‖ after) of the predictions, in nats per token.
    pub divergence: f32,
    /// Number of tokens compared.
    pub tokens: usize,
}

/// Difference between the logits of `before` and `after` on the first tokens of a prompt, which must be in their
/// vocabulary; `None` without a token.
pub fn compare(before: &Checkpoint, after: &Checkpoint, ids: &[u32]) -> Option<Difference> {
    let context = before.config.model.context;
    let limit = (MAX_TOKENS + before.tokenizer.memory_tokens()).min(context);
    let ids = &ids[..ids.len().min(limit)];
    if ids.is_empty() {
        return None;
    }
    let [before, after] = [before, after].map(|model| logits(model, ids));
    let (mut largest, mut sum, mut divergence) = (0.0f32, 0.0, 0.0);
    for (before, after) in before.iter().zip(&after) {
        let totals = [log_sum_exp(before), log_sum_exp(after)];
        for (a, b) in before.iter().zip(after) {
            let apart = (a - b).abs();
            largest = if apart > largest || apart.is_nan() { apart } else { largest };
            sum += f64::from(apart);
            let (a, b) = (a - totals[0], b - totals[1]);
            divergence += f64::from(a.exp() * (a - b));
        }
    }
    let tokens = ids.len();
    let mean = sum / before.iter().map(Vec::len).sum::<usize>().max(1) as f64;
    // Rounding can make it negative.
    let divergence = (divergence / tokens as f64).max(0.0) as f32;
    Some(Difference { largest, mean: mean as f32, divergence, tokens })
}

/// Logits after each token. Decoding token by token avoids the large record of a whole pass.
fn logits(model: &Checkpoint, ids: &[u32]) -> Vec<Vec<f32>> {
    let layout = Layout::new(&model.config.model, model.tokenizer.vocab_size());
    let host = HostModel::new(&model.config.model, &layout, model.weights().into_owned()).remember(&model.bank);
    let mut cache = Cache::default();
    ids.iter().map(|id| host.decode(&[*id], &mut cache)).collect()
}

/// Change of a model, as a sentence without a full stop.
pub fn report(before: &Checkpoint, after: &Checkpoint, ids: &[u32]) -> String {
    let sizes = [before, after].map(|model| model.parameters.len());
    let sizes = format!("{} parameters became {}", sizes[0], sizes[1]);
    match compare(before, after, ids) {
        Some(difference) => format!("{sizes}; {difference}"),
        None => sizes,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [largest, mean, divergence] = [self.largest, self.mean, self.divergence].map(show);
        write!(
            f,
            "over {} tokens of the prompt, logits changed by at most {largest} and {mean} on average, \
             predictions by {divergence} nats (KL)",
            self.tokens
        )
    }
}
