//! Patterns seen otherwise: weighted by what is read, averaged over heads, compared.

use super::linear::Matrix;
use super::{AnalysisError, Head, View};
use crate::host::ActivationCache;
pub use crate::report::forward::Pattern;

/// A head's pattern times the length of what it would write, `pattern[q, k] · ‖v_k W_O‖`, in units
/// of the residual stream: what a head looks at but takes nothing from vanishes (Kobayashi et al.
/// 2020, "Attention is Not Only a Weight").
///
/// # Errors
/// If the model lacks the head.
pub fn value_weighted(
    view: &View,
    cache: &ActivationCache,
    head: Head,
) -> Result<Pattern, AnalysisError> {
    let w_o = view.ov(head)?.right;
    let ActivationCache { seq, d_head, n_heads, .. } = *cache;
    let v = &cache.layers[head.layer].v;
    let v = Matrix::from_fn(seq, d_head, |key, column| {
        v[(key * n_heads + head.head) * d_head + column].into()
    });
    let written = v * w_o;
    let lengths: Vec<f32> = written.row_iter().map(|row| row.norm() as f32).collect();
    let mut pattern = pattern(view, cache, head)?;
    for row in pattern.values.chunks_mut(seq.max(1)) {
        row.iter_mut().zip(&lengths).for_each(|(weight, length)| *weight *= length);
    }
    Ok(pattern)
}

/// The mean pattern of a layer's heads.
///
/// # Errors
/// If the model lacks the layer.
pub fn head_average(
    view: &View,
    cache: &ActivationCache,
    layer: usize,
) -> Result<Pattern, AnalysisError> {
    let mut mean = pattern(view, cache, Head { layer, head: 0 })?;
    for head in 1..cache.n_heads {
        let other = pattern(view, cache, Head { layer, head })?;
        mean.values.iter_mut().zip(other.values).for_each(|(sum, weight)| *sum += weight);
    }
    mean.values.iter_mut().for_each(|sum| *sum /= cache.n_heads as f32);
    Ok(mean)
}

/// A head's pattern in `recording` less that in `other`, of another prompt or with edits.
///
/// # Errors
/// If the model lacks the head or the prompts differ in length.
pub fn difference(
    view: &View,
    cache: &ActivationCache,
    other: &ActivationCache,
    head: Head,
) -> Result<Pattern, AnalysisError> {
    if cache.seq != other.seq {
        let (clean, corrupted) = (cache.seq, other.seq);
        return Err(AnalysisError::Lengths { clean, corrupted });
    }
    let mut difference = pattern(view, cache, head)?;
    let other = pattern(view, other, head)?;
    difference.values.iter_mut().zip(other.values).for_each(|(a, b)| *a -= b);
    Ok(difference)
}

/// A head's pattern as it is.
///
/// # Errors
/// If the model lacks the head.
pub fn pattern(view: &View, cache: &ActivationCache, head: Head) -> Result<Pattern, AnalysisError> {
    view.check_head(head)?;
    let seq = cache.seq;
    let values = &cache.layers[head.layer].pattern[head.head * seq * seq..][..seq * seq];
    Ok(Pattern { seq, values: values.to_vec() })
}
