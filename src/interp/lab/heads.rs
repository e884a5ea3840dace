//! Scores of heads on repeated random tokens.

use super::analysis::{Analysis, Work};
use super::error::RequestError;
use super::subject::Subject;
use crate::figure::{Axis, Content, Figure, Grid};
use crate::interp::analysis::heads::Scoring;
use crate::run::{AnalysisEntry, Group};

/// Length of the random block that is repeated, in tokens, and the number of random blocks.
const BLOCK: usize = 25;
const DRAWS: usize = 8;
const SEED: u64 = 1;

/// Previous-token, duplicate-token and induction scores.
pub(super) struct Heads;

impl Analysis for Heads {
    fn entry(&self) -> &AnalysisEntry {
        static ENTRY: AnalysisEntry =
            AnalysisEntry::new("heads", "Head scores", Group::Circuits, &[]);
        &ENTRY
    }

    fn start(&self, subject: &Subject) -> Result<Box<dyn Work>, RequestError> {
        let Subject { model, view, .. } = subject;
        let memory = model.tokenizer.after_memory(&[]);
        let room = model.config.context.saturating_sub(1 + memory.len());
        let scoring = Scoring::new(view, BLOCK.min(room / 2), DRAWS, SEED)?.after(view, memory)?;
        Ok(Box::new(match model.separator {
            Some(separator) => scoring.separated_by(view, separator)?,
            None => scoring,
        }))
    }
}

impl Work for Scoring {
    fn advance(&mut self, subject: &Subject) -> Result<bool, RequestError> {
        Ok(self.next(&subject.model.host))
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<Figure>, RequestError> {
        Ok(draw(subject, self))
    }
}

fn draw(subject: &Subject, scoring: &Scoring) -> Vec<Figure> {
    let scores = scoring.scores();
    let matches =
        scores.iter().map(|score| [score.previous_token, score.duplicate_token, score.induction]);
    let values = matches.flat_map(|kinds| {
        let [stripe, mul, abs] =
            [kinds.map(|kind| kind.stripe), kinds.map(|kind| kind.mul), kinds.map(|kind| kind.abs)];
        [stripe, mul, abs].concat()
    });
    let values: Vec<f32> = values.collect();
    let kinds = ["previous", "duplicate", "induction"];
    let columns = ["", " · mul", " · abs"]
        .iter()
        .flat_map(|form| kinds.iter().map(move |kind| format!("{kind}{form}")));
    let rows = if values.is_empty() { Axis::default() } else { subject.all_heads("head") };
    let grid = Grid::new(rows, Axis::new("score", columns.collect()), values);
    vec![Figure {
        title: format!(
            "What heads look for in repeated random characters ({} draws)",
            scoring.done()
        ),
        note: "Means of the attention to the character before, to the earlier copy of the same \
               character, and to what followed that copy, as an induction head does (Olsson et al. \
               2022); then TransformerLens’ scores against the whole mask."
            .into(),
        content: Content::Grid(grid.within([-1.0, 1.0]).written()),
    }]
}

