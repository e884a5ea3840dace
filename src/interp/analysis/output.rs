//! From the vector that is unembedded to the probability of a token: which of its components carry
//! it, and what each component says by itself.

use super::circuits::Extremes;
use super::lens::predictions;
use super::{AnalysisError, View};
use crate::generate::{entropy, surprisal};
use crate::host::ActivationCache;
pub use crate::report::forward::{ComponentView, Output, Spread, TopOfMind, Truncation};

/// Parts of a histogram.
pub const BINS: usize = 40;

impl Spread {
    pub fn of(values: &[f32]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let max = sorted.first().copied().unwrap_or(0.0);
        let min = sorted.last().copied().unwrap_or(0.0);
        let (mean, sd) = moments(values);
        let mut histogram = vec![0; BINS];
        for value in values {
            // NaN falls into the first bin, and so do all values of a range of width 0.
            let share = (value - min) / (max - min);
            histogram[((share * BINS as f32) as usize).min(BINS - 1)] += 1;
        }
        Self { values: values.to_vec(), sorted, min, mean, max, sd, histogram }
    }
}

/// Mean and standard deviation, summed in double precision.
pub(super) fn moments(values: &[f32]) -> (f32, f32) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
    let variance = values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / count;
    (mean as f32, variance.sqrt() as f32)
}

/// # Errors
/// If the prompt has no such position.
pub fn output(cache: &ActivationCache, position: usize) -> Result<Output, AnalysisError> {
    let hidden = hidden(cache, position)?;
    let logits = cache.logits_at(position);
    Ok(Output {
        position,
        hidden: Spread::of(hidden),
        logits: Spread::of(logits),
        entropy: entropy(logits) as f32,
    })
}

/// Means over the places of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparsity {
    /// Mean absolute value of a component: what `output_l1` is the price of.
    pub mean_size: f32,
    /// (√n − ‖x‖₁ / ‖x‖₂) / (√n − 1): 0 if all components are of one size, 1 if all but one are 0
    /// (Hoyer 2004, "Non-negative matrix factorization with sparseness constraints").
    pub hoyer: f32,
    /// Share of components smaller than a tenth of the largest.
    pub small: f32,
    /// Components that give 90% of the likeliest token's probability: see [`truncate`].
    pub needed: f32,
    /// Absolute values, the largest first: `[d_model]`.
    pub by_rank: Vec<f32>,
}

/// Sparsity of the vectors that are unembedded, at the cost of [`truncate`] for each.
pub fn sparsity(view: &View, cache: &ActivationCache) -> Sparsity {
    let d_model = cache.d_model;
    let mut sums = [0.0_f64; 4];
    let mut by_rank = vec![0.0; d_model];
    for (position, row) in cache.normed.chunks(d_model.max(1)).enumerate() {
        let mut sizes: Vec<f32> = row.iter().map(|x| x.abs()).collect();
        sizes.sort_by(|a, b| b.total_cmp(a));
        let largest = sizes.first().copied().unwrap_or(0.0);
        let total: f64 = sizes.iter().map(|x| f64::from(*x)).sum();
        let length = sizes.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let root = (d_model as f64).sqrt();
        let hoyer = (root - total / length.max(f64::MIN_POSITIVE)) / (root - 1.0).max(1e-12);
        let small = sizes.iter().filter(|x| **x < 0.1 * largest).count();
        let likeliest = predictions(cache.logits_at(position), 1);
        let needed = likeliest.first().map_or(0, |top| {
            truncate(view, cache, position, top.token).map_or(0, |found| found.needed)
        });
        let found = [total / d_model as f64, hoyer, small as f64 / d_model as f64, needed as f64];
        sums.iter_mut().zip(found).for_each(|(sum, value)| *sum += value);
        by_rank.iter_mut().zip(sizes).for_each(|(sum, size)| *sum += size);
    }
    let count = cache.seq.max(1) as f64;
    let [mean_size, hoyer, small, needed] = sums.map(|sum| (sum / count) as f32);
    by_rank.iter_mut().for_each(|sum| *sum /= count as f32);
    Sparsity { mean_size, hoyer, small, needed, by_rank }
}

fn hidden(cache: &ActivationCache, position: usize) -> Result<&[f32], AnalysisError> {
    let (seq, d_model) = (cache.seq, cache.d_model);
    if position >= seq {
        return Err(AnalysisError::NoPosition { position, seq });
    }
    Ok(&cache.normed[position * d_model..][..d_model])
}

/// Share of the full probability at which enough components are kept.
const ENOUGH: f32 = 0.9;

/// Keeps ever more components of the unembedded vector, at the cost of `2 · d_model · vocab`
/// exponentials.
///
/// # Errors
/// If the model lacks the token, or the prompt the position.
pub fn truncate(
    view: &View,
    cache: &ActivationCache,
    position: usize,
    token: u32,
) -> Result<Truncation, AnalysisError> {
    view.check_tokens(&[token])?;
    let hidden = hidden(cache, position)?;
    let mut order: Vec<usize> = (0..hidden.len()).collect();
    order.sort_by(|a, b| hidden[*b].abs().total_cmp(&hidden[*a].abs()));
    let probability = |logits: &[f32]| (-surprisal(logits, token as usize)).exp();
    let square = |x: f32| f64::from(x) * f64::from(x);
    let whole: f64 = hidden.iter().map(|x| square(*x)).sum();
    let mut logits = vec![0.0; view.vocab_size()];
    let (mut raw, mut rescaled) = (vec![probability(&logits)], vec![probability(&logits)]);
    let mut kept = 0.0;
    for component in &order {
        let row = view.unembedding_row(*component);
        logits.iter_mut().zip(row).for_each(|(logit, w)| *logit += hidden[*component] * w);
        kept += square(hidden[*component]);
        let scale = if kept > 0.0 { (whole / kept).sqrt() as f32 } else { 1.0 };
        let scaled: Vec<f32> = logits.iter().map(|logit| logit * scale).collect();
        raw.push(probability(&logits));
        rescaled.push(probability(&scaled));
    }
    let full = raw[hidden.len()];
    let needed =
        |curve: &[f32]| curve.iter().position(|p| *p >= ENOUGH * full).unwrap_or(hidden.len());
    let (needed, needed_rescaled) = (needed(&raw), needed(&rescaled));
    Ok(Truncation { token, order, raw, rescaled, needed, needed_rescaled })
}

/// # Errors
/// If the residual stream has no such component.
pub fn component(view: &View, component: usize) -> Result<ComponentView, AnalysisError> {
    let d_model = view.d_model();
    if component >= d_model {
        return Err(AnalysisError::NoComponent { component, d_model });
    }
    let row = view.unembedding_row(component);
    Ok(ComponentView { component, tokens: Extremes::of(&row, 10), entropy: entropy(&row) as f32 })
}

/// The prediction of a residual stream that is zero: the softmax of the final norm's bias through
/// the unembedding, `softmax(b W_U)`. A model without a first token of its own cannot be run on
/// no tokens at all; this is what every prediction starts from.
pub fn top_of_mind(view: &View, top: usize) -> TopOfMind {
    let logits = view.logits(&view.final_norm(&vec![0.0; view.d_model()]));
    TopOfMind {
        top: predictions(&logits, top),
        entropy: entropy(&logits) as f32,
        biased: view.has("ln_final.b"),
    }
}
