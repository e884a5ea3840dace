//! An analysis as a job: done a piece at a time, shown as figures at any time.

use std::sync::Arc;

use super::architecture::architecture;
use super::error::LookError;
use super::model::Snapshot;
use super::subject::{Subject, difference};
use super::{change, circuits, less, memory, outputs, residual};
use crate::figure::Figure;
use crate::interp::analysis::composition::{
    Baseline, Composition, composition, random_composition,
};
use crate::interp::analysis::heads::Scoring;
use crate::interp::analysis::patching::{Knockouts, Patch, Patching};
use crate::interp::analysis::{Head, View};
use crate::run::{Asks, Edit, Intervention, Look, Looked, What};

/// Repeated random tokens that heads are scored on: their length, and how often they are drawn.
const BLOCK: usize = 25;
const DRAWS: usize = 8;
/// Pairs of random heads that compositions are held against.
const RANDOM_PAIRS: usize = 100;
const SEED: u64 = 1;

/// An analysis under way.
pub struct AnalysisJob {
    model: Arc<Snapshot>,
    /// The model before weights were changed.
    unchanged: Arc<Snapshot>,
    /// The same analysis of another model, whose figures are taken from these, and its name.
    beside: Option<(String, Box<AnalysisJob>)>,
    pub look: Look,
    /// Edits to every forward pass.
    edits: Vec<Edit>,
    ids: Vec<u32>,
    work: Work,
}

/// The work left to do, or its results.
enum Work {
    Heads(Scoring),
    Knockouts(Knockouts),
    Patching(Box<Patching>),
    /// Composition by pair of layers, and the next pair.
    Composition {
        found: Vec<Composition>,
        random: Baseline,
        next: (usize, usize),
    },
    /// No pieces: the figures are made at once.
    Whole,
}

impl AnalysisJob {
    /// Looks at a model and, if another one is given, at what it shows beyond that.
    ///
    /// # Errors
    /// If one of them lacks what is to be looked at.
    pub fn beside(
        model: Arc<Snapshot>,
        other: Option<(String, Arc<Snapshot>)>,
        look: Look,
    ) -> Result<Self, LookError> {
        let beside = match other {
            Some((name, other)) => match Self::new(other, look.clone()) {
                Ok(job) => Some((name, Box::new(job))),
                Err(error) => return Err(LookError::Unlike { name, why: error.to_string() }),
            },
            None => None,
        };
        Ok(Self { beside, ..Self::new(model, look)? })
    }

    /// # Errors
    /// If the model lacks what is to be looked at.
    pub fn new(unchanged: Arc<Snapshot>, look: Look) -> Result<Self, LookError> {
        let (mut edits, mut cells) = (Vec::new(), Vec::new());
        for change in &look.changes {
            match change {
                Intervention::Pass(edit) => edits.push(edit.clone()),
                Intervention::Weight(cell) => cells.push(cell),
            }
        }
        let model = match cells.is_empty() {
            true => unchanged.clone(),
            false => Arc::new(unchanged.changed(&cells)?),
        };
        let asks = |what| look.what.analysis().asks.contains(&what);
        let ids = if asks(Asks::Prompt) { model.encode(&look.prompt)? } else { Vec::new() };
        let view = model.view()?;
        if asks(Asks::Head) {
            view.check_head(Head { layer: look.layer, head: look.head })?;
        }
        let patch = |patch| -> Result<Work, LookError> {
            let other = model.encode_other(&look)?;
            let of = difference(&model, &look, &ids)?;
            let patching = Patching::new(&view, &model.host, &ids, &other, &edits, patch, of)?;
            Ok(Work::Patching(Box::new(patching)))
        };
        let work = match look.what {
            What::Heads => {
                let memory = model.tokenizer.after_memory(&[]);
                let room = model.config.context.saturating_sub(1 + memory.len());
                let scoring = Scoring::new(&view, BLOCK.min(room / 2), DRAWS, SEED)?;
                let scoring = scoring.after(&view, memory)?;
                Work::Heads(match model.separator {
                    Some(separator) => scoring.separated_by(&view, separator)?,
                    None => scoring,
                })
            }
            What::Knockouts => {
                let of = difference(&model, &look, &ids)?;
                Work::Knockouts(Knockouts::new(&view, &model.host, &ids, &edits, of)?)
            }
            What::PatchResid => patch(Patch::Resid)?,
            What::PatchHeads => patch(Patch::Heads)?,
            What::PatchPatterns => patch(Patch::Patterns)?,
            What::PatchMlps => patch(Patch::Mlp)?,
            What::Composition => {
                let random = random_composition(view.d_model(), view.d_head(), RANDOM_PAIRS, SEED);
                Work::Composition { found: Vec::new(), random, next: (0, 1) }
            }
            _ => Work::Whole,
        };
        drop(view);
        Ok(Self { model, unchanged, beside: None, look, edits, ids, work })
    }

    /// Does one more piece; `false` if all is done.
    ///
    /// # Errors
    /// If the analysis cannot go on.
    pub fn advance(&mut self) -> Result<bool, LookError> {
        let more_beside = match &mut self.beside {
            Some((_, beside)) => beside.advance()?,
            None => false,
        };
        Ok(self.advance_own()? || more_beside)
    }

    fn advance_own(&mut self) -> Result<bool, LookError> {
        let host = &self.model.host;
        Ok(match &mut self.work {
            Work::Heads(scoring) => scoring.next(host),
            Work::Knockouts(knockouts) => knockouts.next(host),
            Work::Patching(patching) => patching.next(host),
            Work::Composition { found, next: (from, to), .. } => {
                let n_layers = self.model.config.n_layers;
                if *to >= n_layers {
                    return Ok(false);
                }
                let view = folded(self.model.view()?, self.look.is_folded);
                found.extend(composition(&view, *from, *to)?);
                (*from, *to) =
                    if *to + 1 < n_layers { (*from, *to + 1) } else { (*from + 1, *from + 2) };
                true
            }
            Work::Whole => false,
        })
    }

    /// The model's step.
    pub fn step(&self) -> usize {
        self.model.step
    }

    /// The results so far.
    pub fn progress(&self, is_done: bool) -> Looked {
        let figures = self.figures().map_err(|error| error.to_string());
        let beside = self.beside.as_ref().map(|(name, _)| name.clone());
        Looked { what: self.look.what, step: self.model.step, beside, is_done, figures }
    }

    /// # Errors
    /// If the model lacks what is to be looked at.
    pub fn figures(&self) -> Result<Vec<Figure>, LookError> {
        let figures = self.own_figures()?;
        let Some((name, beside)) = &self.beside else { return Ok(figures) };
        let others = beside.own_figures()?;
        if figures.len() != others.len() {
            let why = format!("{} figures against {}", figures.len(), others.len());
            return Err(LookError::Unlike { name: name.clone(), why });
        }
        let pairs = figures.into_iter().zip(&others);
        let less = pairs.map(|(figure, other)| less::less(figure, other, name));
        less.collect::<Result<_, _>>().map_err(|why| LookError::Unlike { name: name.clone(), why })
    }

    fn own_figures(&self) -> Result<Vec<Figure>, LookError> {
        let (model, look) = (&*self.model, &self.look);
        let view = folded(model.view()?, look.is_folded && look.what.asks_folding());
        let (unchanged, edits, ids) = (&*self.unchanged, &*self.edits, &*self.ids);
        let subject = Subject { model, unchanged, view: &view, look, edits, ids };
        match &self.work {
            Work::Heads(scoring) => return Ok(circuits::heads(&subject, scoring)),
            Work::Knockouts(knockouts) => return change::knockouts(&subject, knockouts),
            Work::Patching(patching) => return Ok(change::patching(&subject, patching)),
            Work::Composition { found, random, .. } => {
                return Ok(circuits::composition(&subject, found, random));
            }
            Work::Whole => {}
        }
        match look.what {
            What::Lens => residual::lens(&subject),
            What::Attribution => residual::attribution(&subject),
            What::Next => Ok(residual::next(&subject)),
            What::Edited => change::edited(&subject),
            What::Weights => change::weights(&subject),
            What::Pattern => circuits::patterns(&subject),
            What::ValueWeighted => circuits::value_weighted(&subject),
            What::Difference => circuits::difference(&subject),
            What::Ov | What::Qk => circuits::circuit(&subject),
            What::Copying => circuits::copying(&subject),
            What::Spectrum => circuits::spectrum(&subject),
            What::Paths => circuits::paths(&subject),
            What::Output => outputs::output(&subject),
            What::Sparsity => Ok(outputs::sparsity(&subject)),
            What::Truncation => outputs::truncation(&subject),
            What::Component => outputs::component(&subject),
            What::Distances => outputs::distances(&subject),
            What::Directions => outputs::directions(&subject),
            What::TopOfMind => Ok(outputs::top_of_mind(&subject)),
            What::Recalled => memory::recalled(&subject),
            What::Slots => memory::slots(&subject),
            What::MemoryMap => memory::map(&subject),
            What::Architecture => {
                Ok(architecture(&model.config, &model.layout, &model.flat, &model.edits))
            }
            _ => unreachable!("it has work of its own"),
        }
    }
}

fn folded(view: View, is_folded: bool) -> View {
    if is_folded { view.folded() } else { view }
}
