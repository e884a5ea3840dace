//! Probabilities from logits, and samples of them.

use rand::{Rng, RngExt};

use crate::protocol::{ALTERNATIVES, Alternative};
use crate::tokenizer::Tokenizer;

/// Samples an id from `softmax(logits / temperature)` among the `top_k` largest (0: among all). Temperature 0
/// takes the largest.
pub fn sample(logits: &[f32], temperature: f64, top_k: usize, rng: &mut impl Rng) -> usize {
    draw(&probabilities(logits, temperature, top_k), rng)
}

/// Samples one of these ids. A single id takes no random number.
pub fn draw(probabilities: &[(usize, f64)], rng: &mut impl Rng) -> usize {
    let Some((last, _)) = probabilities.last() else { return 0 };
    if probabilities.len() == 1 {
        return *last;
    }
    let mut left = rng.random::<f64>();
    for (id, probability) in probabilities {
        left -= probability;
        if left <= 0.0 {
            return *id;
        }
    }
    *last
}

/// Log-sum-exp of the logits, the normalizer of log-probabilities.
pub fn log_sum_exp(logits: &[f32]) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    largest + logits.iter().map(|logit| (logit - largest).exp()).sum::<f32>().ln()
}

/// −ln of the probability of `id` at temperature 1, in nats.
pub fn surprisal(logits: &[f32], id: usize) -> f32 {
    log_sum_exp(logits) - logits[id]
}

/// Ids that can be sampled from `logits`, likeliest first, with their probabilities.
pub fn probabilities(logits: &[f32], temperature: f64, top_k: usize) -> Vec<(usize, f64)> {
    let mut order = descending(logits);
    let limit = if temperature <= 0.0 {
        1
    } else if top_k == 0 {
        order.len()
    } else {
        top_k
    };
    order.truncate(limit);
    let largest = order.first().map_or(0.0, |id| f64::from(logits[*id]));
    let weigh = |id: usize| {
        let below = f64::from(logits[id]) - largest;
        if below == 0.0 { 1.0 } else { (below / temperature).exp() }
    };
    let weights: Vec<f64> = order.iter().map(|id| weigh(*id)).collect();
    let total: f64 = weights.iter().sum();
    order.into_iter().zip(weights).map(|(id, weight)| (id, weight / total)).collect()
}

/// Entropy of `softmax(logits)`, in nats.
pub fn entropy(logits: &[f32]) -> f64 {
    let total = f64::from(log_sum_exp(logits));
    let costs = logits.iter().map(|logit| total - f64::from(*logit));
    costs.map(|cost| cost * (-cost).exp()).sum()
}

/// Likeliest tokens of the text, at most [`ALTERNATIVES`]. `baseline` has the logits of the model that this one is
/// compared with, `drawn` the probabilities of samples.
pub fn alternatives(
    logits: &[f32],
    baseline: Option<&[f32]>,
    drawn: &[(usize, f64)],
    tokenizer: &Tokenizer,
) -> Vec<Alternative> {
    let total = log_sum_exp(logits);
    let baseline = baseline.map(|logits| (logits, log_sum_exp(logits)));
    let alternative = |(rank, id): (usize, usize)| {
        Some(Alternative {
            token: tokenizer.token(id as u32)?.to_owned(),
            probability: (logits[id] - total).exp(),
            drawn: drawn.get(rank).map_or(0.0, |(_, probability)| *probability as f32),
            logit: logits[id],
            baseline: baseline.map(|(logits, total)| (logits[id] - total).exp()),
        })
    };
    let text = &logits[..tokenizer.text_size()];
    let likeliest = descending(text).into_iter().take(ALTERNATIVES);
    likeliest.enumerate().filter_map(alternative).collect()
}

pub fn descending(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    order
}
