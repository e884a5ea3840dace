//! Effect of knocking out each part, and what the part adds directly.

use super::analysis::{Analysis, Work};
use super::error::RequestError;
use super::residual::parts;
use super::subject::Subject;
use crate::figure::{Content, Figure};
use crate::interp::analysis::attribution::Component;
use crate::interp::analysis::patching::{Effect, Knockouts};
use crate::run::Input::{Position, Prompt, Tokens};
use crate::run::{AnalysisEntry, Group};

/// Each head and MLP knocked out in turn.
pub(super) struct KnockOut;

impl Analysis for KnockOut {
    fn entry(&self) -> &AnalysisEntry {
        static ENTRY: AnalysisEntry = AnalysisEntry::new(
            "knockouts",
            "Knock out each part",
            Group::Interventions,
            &[Prompt, Position, Tokens],
        );
        &ENTRY
    }

    fn start(&self, subject: &Subject) -> Result<Box<dyn Work>, RequestError> {
        let Subject { model, view, ids, interventions, .. } = subject;
        let of = subject.difference()?;
        Ok(Box::new(Knockouts::new(view, &model.host, ids, interventions, of)?))
    }
}

impl Work for Knockouts {
    fn advance(&mut self, subject: &Subject) -> Result<bool, RequestError> {
        Ok(self.next(&subject.model.host))
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<Figure>, RequestError> {
        draw(subject, self)
    }
}

fn draw(subject: &Subject, knockouts: &Knockouts) -> Result<Vec<Figure>, RequestError> {
    let heads = subject.view.n_heads();
    let grid = |of: fn(&Effect) -> f32| {
        let mut values = vec![f32::NAN; subject.view.n_layers() * (heads + 1)];
        for effect in knockouts.effects() {
            let place = match effect.component {
                Component::Head(head) => head.layer * (heads + 1) + head.head,
                Component::Mlp { layer } => layer * (heads + 1) + heads,
                _ => continue,
            };
            values[place] = of(effect);
        }
        Content::Grid(parts(subject, values).written())
    };
    let of = subject.describe(subject.difference()?);
    Ok(vec![
        Figure {
            title: format!("What the logit of {of} loses without each part"),
            note:
                "Effect, in logits: the difference less that of a forward pass in which the part \
                   writes nothing. It counts what later parts make of it, too."
                    .into(),
            content: grid(|effect| effect.effect),
        },
        Figure {
            title: "What each part adds directly".into(),
            note:
                "Attribution, in logits. Where it differs from the effect, other parts pass it on, \
                   or make up for its loss."
                    .into(),
            content: grid(|effect| effect.attribution),
        },
    ])
}
