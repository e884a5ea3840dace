//! Direct logit attribution: what each part of the model adds to a logit difference by itself.
//!
//! Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits";
//! TransformerLens' `logit_attrs`, with the scale of the final norm frozen as it was.

use super::tokens::dot;
use super::{AnalysisError, Head, View};
use crate::host::ActivationCache;
pub use crate::report::forward::{Against, Attribution, Component, Contribution, LogitDifference};

impl LogitDifference {
    /// # Errors
    /// If the model lacks a token or a prompt of `seq` tokens the position.
    pub fn check(&self, view: &View, seq: usize) -> Result<(), AnalysisError> {
        let position = self.position;
        if position >= seq {
            return Err(AnalysisError::NoPosition { position, seq });
        }
        match self.against {
            Against::Token(other) => view.check_tokens(&[self.token, other]),
            Against::Mean => view.check_tokens(&[self.token]),
        }
    }

    /// The difference that a checked recording has.
    pub fn of(&self, cache: &ActivationCache) -> f32 {
        let logits = cache.logits_at(self.position);
        let against = match self.against {
            Against::Token(other) => logits[other as usize],
            Against::Mean => logits.iter().sum::<f32>() / logits.len() as f32,
        };
        logits[self.token as usize] - against
    }

    /// The same difference of the columns of `W_U`: `[d_model]`.
    fn direction(&self, view: &View) -> Vec<f32> {
        let w_u = view.w_u();
        let of = |component: usize| {
            let against = match self.against {
                Against::Token(other) => w_u(component, other as usize),
                Against::Mean => {
                    let row = view.unembedding_row(component);
                    row.iter().sum::<f32>() / row.len() as f32
                }
            };
            w_u(component, self.token as usize) - against
        };
        (0..view.d_model()).map(of).collect()
    }
}

/// Attributes a logit difference: a part's vector in the residual stream, through the final norm
/// with its scale frozen, onto the difference of the unembedding's columns.
///
/// # Errors
/// If the model lacks a token, or the prompt the position.
pub fn attribute(
    view: &View,
    cache: &ActivationCache,
    of: LogitDifference,
) -> Result<Attribution, AnalysisError> {
    of.check(view, cache.seq)?;
    let d_model = cache.d_model;
    let unembedded = of.direction(view);
    let direction = view.through_final_norm(&unembedded);
    let scale = cache.final_scale[of.position];
    let part = |component, values: &[f32], row: usize| {
        let values = &values[row * d_model..][..d_model];
        Contribution { component, value: dot(values, &direction) / scale }
    };
    let mut contributions = Vec::new();
    contributions.push(part(Component::Embedding, &cache.embed, of.position));
    if view.has("pos_embed.W_pos") {
        contributions.push(part(Component::Position, &cache.pos_embed, of.position));
    }
    for (layer, recorded) in cache.layers.iter().enumerate() {
        if !recorded.feedback.is_empty() {
            contributions.push(part(
                Component::Feedback { layer },
                &recorded.feedback,
                of.position,
            ));
        }
        let head_out = view.head_out(layer, recorded);
        for head in 0..cache.n_heads {
            let row = head * cache.seq + of.position;
            contributions.push(part(
                Component::Head(Head { layer, head }),
                &head_out,
                row,
            ));
        }
        if let Some(b_o) = view.parameter(&format!("blocks.{layer}.attn.b_O")) {
            contributions.push(part(Component::AttentionBias { layer }, &b_o.widen(), 0));
        }
        if view.has_mlps() {
            contributions.push(part(Component::Mlp { layer }, &recorded.mlp_out, of.position));
        }
    }
    if let Some(bias) = view.parameter("ln_final.b") {
        let value = dot(&bias.widen(), &unembedded);
        contributions.push(Contribution { component: Component::FinalBias, value });
    }
    Ok(Attribution { of, total: of.of(cache), contributions })
}
