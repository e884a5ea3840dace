//! The subject of an analysis: a model, a prompt, and what is asked of them.

use super::error::LookError;
use super::model::Snapshot;
use crate::figure::{Axis, Pick};
use crate::host::ActivationCache;
use crate::interp::analysis::attribution::{Against, LogitDifference};
use crate::interp::analysis::{AnalysisError, Head, View};
use crate::run::{Edit, Look};

/// The model and the prompt that an analysis is of.
pub(super) struct Subject<'a> {
    pub(super) model: &'a Snapshot,
    /// The model before weights were changed.
    pub(super) unchanged: &'a Snapshot,
    pub(super) view: &'a View<'a>,
    pub(super) look: &'a Look,
    pub(super) edits: &'a [Edit],
    pub(super) ids: &'a [u32],
}

impl Subject<'_> {
    /// The prompt's forward pass, with the edits.
    pub(super) fn record(&self) -> ActivationCache {
        self.model.host.record(self.ids, self.edits)
    }

    pub(super) fn position(&self) -> Result<usize, LookError> {
        position(self.look, self.ids)
    }

    pub(super) fn head(&self) -> Head {
        Head { layer: self.look.layer, head: self.look.head }
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

    /// All characters.
    pub(super) fn characters(&self, name: &str) -> Axis {
        Axis::new(name, self.model.names(&self.model.vocabulary()))
    }

    pub(super) fn difference(&self) -> Result<LogitDifference, LookError> {
        difference(self.model, self.look, self.ids)
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

/// The position asked for; default: the prompt's last.
fn position(look: &Look, ids: &[u32]) -> Result<usize, LookError> {
    let seq = ids.len();
    match look.position {
        None => Ok(seq.saturating_sub(1)),
        Some(position) if position < seq => Ok(position),
        Some(position) => Err(AnalysisError::NoPosition { position, seq }.into()),
    }
}

/// The logit difference asked for.
pub(super) fn difference(
    model: &Snapshot,
    look: &Look,
    ids: &[u32],
) -> Result<LogitDifference, LookError> {
    // What was typed may be more than one token; the last one counts.
    let token = |typed: &Option<String>| -> Result<Option<u32>, LookError> {
        let ids = typed.as_ref().map_or(Ok(Vec::new()), |typed| model.tokenizer.tokenize(typed))?;
        Ok(ids.last().copied())
    };
    let position = position(look, ids)?;
    let token_asked = match (token(&look.character)?, ids.get(position + 1)) {
        (Some(token), _) => token,
        (None, Some(next)) => *next,
        (None, None) => {
            let logits = model.host.record(ids, &[]).logits;
            let last = logits.chunks(model.tokenizer.vocab_size()).next_back().unwrap_or_default();
            let may_follow = last.iter().take(model.tokenizer.text_size());
            let likeliest = may_follow.enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            likeliest.map_or(0, |(token, _)| token as u32)
        }
    };
    let against = token(&look.against)?.map_or(Against::Mean, Against::Token);
    Ok(LogitDifference { position, token: token_asked, against })
}
