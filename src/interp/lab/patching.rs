//! Activations of one prompt patched into another's forward pass.

use super::analysis::{Analysis, Work};
use super::error::RequestError;
use super::subject::Subject;
use crate::figure::{Content, Figure, Grid, show_token};
use crate::interp::analysis::patching::{Patch, Patching};
use crate::run::Input::{Position, Prompt, SecondPrompt, Tokens};
use crate::run::{AnalysisEntry, Group};

/// The share of the first prompt's logit difference that each patch brings back in the second.
pub(super) struct Patches {
    entry: AnalysisEntry,
    patch: Patch,
}

pub(super) static RESID: Patches =
    patches("patch-resid", "Patch the residual stream", Patch::Resid);
pub(super) static HEADS: Patches = patches("patch-heads", "Patch heads", Patch::Heads);
pub(super) static PATTERNS: Patches = patches("patch-patterns", "Patch attention", Patch::Patterns);
pub(super) static MLPS: Patches = patches("patch-mlps", "Patch MLPs", Patch::Mlp);

const fn patches(id: &'static str, label: &'static str, patch: Patch) -> Patches {
    let inputs = &[Prompt, SecondPrompt, Position, Tokens];
    Patches { entry: AnalysisEntry::new(id, label, Group::Interventions, inputs), patch }
}

impl Analysis for Patches {
    fn entry(&self) -> &AnalysisEntry {
        &self.entry
    }

    fn start(&self, subject: &Subject) -> Result<Box<dyn Work>, RequestError> {
        let Subject { model, view, ids, interventions, .. } = subject;
        let other = model.encode(&subject.request.other)?;
        let (of, host) = (subject.difference()?, &model.host);
        Ok(Box::new(Patching::new(view, host, ids, &other, interventions, self.patch, of)?))
    }
}

impl Work for Patching {
    fn advance(&mut self, subject: &Subject) -> Result<bool, RequestError> {
        Ok(self.next(&subject.model.host))
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<Figure>, RequestError> {
        Ok(draw(subject, self))
    }
}

fn draw(subject: &Subject, patching: &Patching) -> Vec<Figure> {
    let found = patching.grid();
    let mut values = found.values.clone();
    values.resize(found.rows * found.columns, f32::NAN);
    let (what, columns) = match found.patch {
        Patch::Resid => ("the residual stream before each layer", subject.positions()),
        Patch::Mlp => ("each MLP's output", subject.positions()),
        Patch::Heads | Patch::HeadsAt { .. } => ("each head's output", subject.heads()),
        Patch::Patterns => ("each head's pattern", subject.heads()),
    };
    let left_out = match found.patch == Patch::Patterns && !subject.view.all_have_keys() {
        true => " A convolution (conv) computes nothing by its pattern: its row is empty.",
        false => "",
    };
    let rows = subject.model.layers();
    let grid = Grid::new(rows, columns, values).within([-1.0, 1.0]);
    vec![Figure {
        title: format!("Patching {what}: {}", subject.describe(found.of)),
        note: format!(
            "Taken from the prompt, put into the forward pass of “{}”: 0 changes nothing, 1 \
             brings back all of the prompt’s logit difference, {:.2} against {:.2} (Wang et al. 2022).{left_out}",
            show_token(&subject.request.other),
            found.clean,
            found.corrupted
        ),
        content: Content::Grid(if found.columns <= 32 { grid.written() } else { grid }),
    }]
}
