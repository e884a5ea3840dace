//! The subject of an analysis: a model, a prompt, and what is asked of them.

use std::collections::HashSet;

use super::error::RequestError;
use super::snapshot::Snapshot;
use crate::figure::{Axis, Pick};
use crate::host::ActivationCache;
use crate::interp::analysis::attribution::{Against, LogitDifference};
use crate::interp::analysis::{AnalysisError, Head, View};
use crate::run::{ActivationIntervention, AnalysisRequest};

/// The model and the prompt that an analysis is of.
pub struct Subject<'a> {
    pub(super) model: &'a Snapshot,
    /// The model before weights were changed.
    pub(super) unchanged: &'a Snapshot,
    /// Its weights, with the norms folded in if that was requested.
    pub(super) view: View<'a>,
    pub(super) request: &'a AnalysisRequest,
    pub(super) interventions: &'a [ActivationIntervention],
    pub(super) ids: &'a [u32],
}

impl Subject<'_> {
    /// The prompt's forward pass, with the edits.
    pub(super) fn record(&self) -> ActivationCache {
        self.model.host.record(self.ids, self.interventions)
    }

    /// The position requested; default: the prompt's last.
    pub(super) fn position(&self) -> Result<usize, RequestError> {
        let seq = self.ids.len();
        match self.request.position {
            None => Ok(seq.saturating_sub(1)),
            Some(position) if position < seq => Ok(position),
            Some(position) => Err(AnalysisError::NoPosition { position, seq }.into()),
        }
    }

    pub(super) fn head(&self) -> Head {
        Head { layer: self.request.layer, head: self.request.head }
    }

    /// The prompt's characters.
    pub(super) fn positions(&self) -> Axis {
        Axis::new("position", self.model.names(self.ids)).picking(Pick::Position)
    }

    /// The heads of a layer.
    pub(super) fn heads(&self) -> Axis {
        let heads = (0..self.view.n_heads()).map(|head| format!("H{head}"));
        Axis::new("head", heads.collect()).picking(Pick::Head)
    }

    /// The heads of all layers.
    pub(super) fn all_heads(&self, name: &str) -> Axis {
        let names = self.view.heads().map(|head| head.to_string());
        Axis::new(name, names.collect()).picking(Pick::AnyHead)
    }

    /// These tokens.
    pub(super) fn characters(&self, name: &str, tokens: &[u32]) -> Axis {
        Axis::new(name, self.model.names(tokens))
    }

    /// Tokens for an analysis that takes no more than some: the whole vocabulary if it `fits`, else those of the
    /// prompt, each once. The sentence says so in the figure's note.
    pub(super) fn tokens(&self, fits: bool) -> Result<(Vec<u32>, String), RequestError> {
        let Self { model, request, .. } = self;
        if fits {
            return Ok((model.vocabulary(), String::new()));
        }
        let mut seen = HashSet::new();
        let mut tokens = model.encode(&request.prompt)?;
        tokens.retain(|token| seen.insert(*token));
        let (count, all) = (tokens.len(), model.tokenizer.vocab_size());
        let note = format!(" Shown are the {count} tokens of the prompt, of {all}: type those to look at.");
        Ok((tokens, note))
    }

    /// The logit difference requested.
    pub(super) fn difference(&self) -> Result<LogitDifference, RequestError> {
        let Self { model, request, ids, .. } = self;
        // A typed text may be more than one token; the last one counts.
        let token = |typed: &Option<String>| -> Result<Option<u32>, RequestError> {
            let Some(typed) = typed else { return Ok(None) };
            Ok(model.tokenizer.tokenize(typed)?.last().copied())
        };
        let position = self.position()?;
        let target = match (token(&request.target)?, ids.get(position + 1)) {
            (Some(token), _) => token,
            (None, Some(next)) => *next,
            (None, None) => {
                let logits = model.host.record(ids, &[]).logits;
                let last =
                    logits.chunks(model.tokenizer.vocab_size()).next_back().unwrap_or_default();
                let may_follow = last.iter().take(model.tokenizer.text_size());
                let likeliest = may_follow.enumerate().max_by(|a, b| a.1.total_cmp(b.1));
                likeliest.map_or(0, |(token, _)| token as u32)
            }
        };
        let against = token(&request.contrast)?.map_or(Against::Mean, Against::Token);
        Ok(LogitDifference { position, token: target, against })
    }

    /// The note on folding of figures that are drawn from weights.
    pub(super) fn weights_note(&self) -> String {
        let norms = match self.view.is_folded() {
            true => "Norms are folded into the weights.",
            false => "Raw weights, without the norms.",
        };
        let convolutions = match self.view.all_have_keys() {
            true => "",
            false => {
                " A convolution (conv) weighs each number between W_V and W_O by itself, and here they all weigh 1; it has no \
                 query–key circuit."
            }
        };
        format!("{norms}{convolutions}")
    }

    /// The note on what the pattern of `layer` is, where that is no share of attention.
    pub(super) fn pattern_note(&self, layer: usize) -> &'static str {
        match self.view.has_keys(layer) {
            true => "",
            false => {
                " This layer is a convolution (conv), which weighs each number of a value by itself: shown is the mean over \
                 the head’s numbers of gate times kernel, which may be negative. What the head writes is computed number by \
                 number."
            }
        }
    }

    /// `“a” against “b”`
    pub(super) fn describe(&self, of: LogitDifference) -> String {
        let against = match of.against {
            Against::Token(other) => format!("“{}”", self.model.name(other)),
            Against::Mean => "the mean".into(),
        };
        let after = self.ids.get(of.position).map(|id| self.model.name(*id)).unwrap_or_default();
        format!(
            "“{}” against {against}, after “{after}” at {}",
            self.model.name(of.token),
            of.position
        )
    }
}
