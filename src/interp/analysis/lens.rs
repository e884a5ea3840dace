//! The logit lens: what the model would predict if it stopped early.
//!
//! Source: nostalgebraist 2020, "interpreting GPT: the logit lens"; TransformerLens'
//! `accumulated_resid` with `apply_ln`.

use std::ops::Range;

use super::{AnalysisError, View};
use crate::generate::{descending, entropy, log_sum_exp, surprisal};
use crate::host::ActivationCache;
pub use crate::report::forward::{LensCell, LensRow, Prediction, Stage, Target};

/// The token whose rank and probability are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// The same everywhere.
    Token(u32),
    /// The token that follows each position in these ids.
    Next(&'a [u32]),
}

/// The stages of a model, in order; those between attention and MLP only if `mid`.
pub fn stages(n_layers: usize, mid: bool) -> Vec<Stage> {
    let of_layer = |layer| {
        let mid = mid.then_some(Stage::Mid { layer });
        std::iter::once(Stage::Pre { layer }).chain(mid)
    };
    (0..n_layers).flat_map(of_layer).chain([Stage::Final]).collect()
}

/// Reads `positions` of the residual stream at `stage`, through the final norm and the unembedding,
/// with the `top` likeliest tokens of each. It costs `positions · vocab · d_model` operations.
///
/// # Errors
/// If the model lacks the stage, a position or the token.
pub fn lens_row(
    view: &View,
    cache: &ActivationCache,
    stage: Stage,
    positions: Range<usize>,
    asked: Asked,
    top: usize,
) -> Result<LensRow, AnalysisError> {
    if let Asked::Token(token) = asked {
        view.check_tokens(&[token])?;
    }
    if positions.end > cache.seq {
        let (position, seq) = (positions.end - 1, cache.seq);
        return Err(AnalysisError::NoPosition { position, seq });
    }
    let resid = resid(cache, stage)?;
    let cell = |position: usize| {
        let row = &resid[position * cache.d_model..][..cache.d_model];
        let target = match asked {
            Asked::Token(token) => Some(token),
            Asked::Next(ids) => ids.get(position + 1).copied(),
        };
        read(&view.logits(&view.final_norm(row)), target, top)
    };
    Ok(LensRow { stage, cells: positions.map(cell).collect() })
}

fn resid(cache: &ActivationCache, stage: Stage) -> Result<&[f32], AnalysisError> {
    let n_layers = cache.layers.len();
    let find = |layer: usize| {
        cache.layers.get(layer).ok_or(AnalysisError::NoLayer { layer, n_layers })
    };
    Ok(match stage {
        Stage::Pre { layer } => &find(layer)?.resid_pre,
        Stage::Mid { layer } => &find(layer)?.resid_mid,
        Stage::Final => &find(n_layers.saturating_sub(1))?.resid_post,
    })
}

fn read(logits: &[f32], target: Option<u32>, top: usize) -> LensCell {
    let target = target.filter(|token| (*token as usize) < logits.len()).map(|token| Target {
        token,
        rank: logits.iter().filter(|logit| **logit > logits[token as usize]).count(),
        probability: (-surprisal(logits, token as usize)).exp(),
    });
    LensCell { top: predictions(logits, top), target, entropy: entropy(logits) as f32 }
}

/// The `top` likeliest tokens, likeliest first.
pub(super) fn predictions(logits: &[f32], top: usize) -> Vec<Prediction> {
    let total = log_sum_exp(logits);
    let predict = |token: &usize| Prediction {
        token: *token as u32,
        probability: (logits[*token] - total).exp(),
    };
    descending(logits).iter().take(top).map(predict).collect()
}
