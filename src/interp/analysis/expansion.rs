//! The logits of an attention-only model as a sum over paths: past all heads, through one head,
//! through two.
//!
//! Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", its two-layer
//! expansion: `W_E W_U + Σ A_h ⊗ W_E OV_h W_U + Σ (A_h A_g) ⊗ W_E OV_g OV_h W_U`, for the patterns
//! `A` of one prompt.

use super::linear::Matrix;
use super::{AnalysisError, Head, View};
use crate::arch::Norm;
use crate::config::MemoryKind;
use crate::host::ActivationCache;
pub use crate::report::forward::{Expansion, Path, Term};

/// Expands the logits of `tokens` at `position` of a recording that was made without edits, or
/// with edits of patterns only.
///
/// # Errors
/// If the model has norms, MLPs, convolutions, feedback, memories or more than two layers, or lacks the position or a token.
pub fn expand(
    view: &View,
    cache: &ActivationCache,
    position: usize,
    tokens: &[u32],
) -> Result<Expansion, AnalysisError> {
    check_expandable(view)?;
    view.check_tokens(tokens)?;
    let (seq, d_model) = (cache.seq, cache.d_model);
    if position >= seq {
        return Err(AnalysisError::NoPosition { position, seq });
    }
    let embedded = rows(&cache.embed, d_model) + rows(&cache.pos_embed, d_model);
    // Part of the residual stream that every path has so far, at each token: `[seq, d_model]`.
    let mut paths = vec![(Path::Direct, embedded), (Path::Biases, Matrix::zeros(seq, d_model))];
    for (layer, recorded) in cache.layers.iter().enumerate() {
        let mut written: Vec<(Path, Matrix)> = Vec::new();
        let mut biases = Matrix::zeros(seq, d_model);
        for head in (0..cache.n_heads).map(|head| Head { layer, head }) {
            let pattern = &recorded.pattern[head.head * seq * seq..][..seq * seq];
            let pattern = rows(pattern, seq);
            let ov = view.ov(head)?;
            for (path, resid) in &paths {
                let out = &pattern * (resid * &ov.left) * &ov.right;
                match path {
                    Path::Direct => written.push((Path::Head(head), out)),
                    Path::Head(first) => written.push((Path::Heads(*first, head), out)),
                    Path::Biases | Path::Heads(..) => biases += out,
                }
            }
            if let Some(b_v) = view.value_bias(head) {
                biases += &pattern * repeat(&b_v, seq) * &ov.right;
            }
        }
        if let Some(b_o) = view.parameter(&format!("blocks.{layer}.attn.b_O")) {
            biases += repeat(&b_o.widen(), seq);
        }
        paths[1].1 += biases;
        paths.extend(written);
    }
    let unembedding = view.unembedding(tokens);
    let term = |(path, resid): &(Path, Matrix)| Term {
        path: *path,
        logits: (resid.row(position) * &unembedding).iter().map(|x| *x as f32).collect(),
    };
    Ok(Expansion { position, tokens: tokens.into(), terms: paths.iter().map(term).collect() })
}

/// # Errors
/// Refuses a model with a part that is not a sum of paths through heads.
pub fn check_expandable(view: &View) -> Result<(), AnalysisError> {
    let refuse = |what| Err(AnalysisError::NotExpandable(what));
    if Norm::of(view.config()) != Norm::Identity {
        return refuse("norms, whose scale depends on all paths at once");
    }
    if view.has_mlps() {
        return refuse("MLPs, which are not linear");
    }
    if !view.all_have_keys() {
        return refuse("a convolution (conv), which weighs each number of a value by itself");
    }
    if view.config().feeds_back() {
        return refuse("Feedback (model.feedback), whose paths go on from token to token");
    }
    if view.config().memory.kind != MemoryKind::None {
        return refuse("memories, which are no paths between tokens");
    }
    match view.n_layers() {
        0..=2 => Ok(()),
        _ => refuse("more than two layers, whose paths are too many to list"),
    }
}

fn rows(values: &[f32], width: usize) -> Matrix {
    let values = values.iter().copied().map(f64::from);
    Matrix::from_row_iterator(values.len() / width.max(1), width, values)
}

fn repeat(row: &[f32], times: usize) -> Matrix {
    Matrix::from_fn(times, row.len(), |_, column| row[column].into())
}
