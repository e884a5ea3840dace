//! From the vector that is unembedded to the probability of a token: which of its components carry
//! it, and what each component says by itself.

use super::circuits::Extremes;
use super::lens::predictions;
use super::{AnalysisError, View};
use crate::plain::Recording;
pub use crate::report::forward::{ComponentView, Output, Spread, TopOfMind, Truncation};
use crate::sample::{entropy, surprisal};

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
            // What is not a number falls in the first part; all are equal in one of width 0.
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
pub fn output(recording: &Recording, position: usize) -> Result<Output, AnalysisError> {
    let hidden = hidden(recording, position)?;
    let logits = recording.logits_at(position);
    Ok(Output {
        position,
        hidden: Spread::of(hidden),
        logits: Spread::of(logits),
        entropy: entropy(logits) as f32,
    })
}

fn hidden(recording: &Recording, position: usize) -> Result<&[f32], AnalysisError> {
    let (seq, d_model) = (recording.seq, recording.d_model);
    if position >= seq {
        return Err(AnalysisError::NoPosition { position, seq });
    }
    Ok(&recording.normed[position * d_model..][..d_model])
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
    recording: &Recording,
    position: usize,
    token: u32,
) -> Result<Truncation, AnalysisError> {
    view.check_tokens(&[token])?;
    let hidden = hidden(recording, position)?;
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
