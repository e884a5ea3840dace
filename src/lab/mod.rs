//! Looks into a model: runs the analysis that was asked for, a piece at a time, and tells what it
//! found as figures.

mod architecture;
mod change;
mod circuits;
mod less;
mod memory;
mod model;
mod outputs;
mod residual;

use std::sync::Arc;

use crate::analysis::attribution::{Against, LogitDifference};
use crate::analysis::composition::{Baseline, Composition, composition, random_composition};
use crate::analysis::heads::Scoring;
use crate::analysis::patching::{Knockouts, Patch, Patching};
use crate::analysis::{AnalysisError, Head, View};
use crate::edit::{Cell, Edit, Intervention};
use crate::figure::{Axis, Figure, Pick};
use crate::look::{Asks, Look, Looked, What};
use crate::plain::Recording;
use crate::tokenizer::UnknownCharacter;

pub use architecture::architecture;
pub use model::Model;

/// Repeated random tokens that heads are scored on: their length, and how often they are drawn.
const BLOCK: usize = 25;
const DRAWS: usize = 8;
/// Pairs of random heads that compositions are held against.
const RANDOM_PAIRS: usize = 100;
const SEED: u64 = 1;

/// Why a look was refused.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error("the prompt is empty; type at least one character")]
    Empty,
    #[error("the second prompt is empty; type one with as many characters as the first")]
    EmptyOther,
    #[error(transparent)]
    Unknown(#[from] UnknownCharacter),
    #[error("the prompt has {got} characters, and {most} can be looked at; shorten it")]
    TooLong { got: usize, most: usize },
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    #[error("there is no parameter `{asked}` in this model; it has {has}")]
    NoParameter { asked: String, has: String },
    #[error("{cell}: {} is {rows} × {columns}; count rows and columns from 0", .cell.parameter)]
    NoCell { cell: Cell, rows: usize, columns: usize },
    #[error("{what} has {rows} × {columns} numbers, more than can be shown; choose a smaller one")]
    TooMany { what: String, rows: usize, columns: usize },
    #[error(
        "this model has no memory that is stored; set Memory to featural or associative and train"
    )]
    NoMemory,
    #[error("it cannot be held against {name}, which has other parts: {why}")]
    Unlike { name: String, why: String },
}

/// An analysis under way.
pub struct Looking {
    model: Arc<Model>,
    /// The model before weights were changed.
    unchanged: Arc<Model>,
    /// The same of another model, whose figures are taken from these, and its name.
    beside: Option<(String, Box<Looking>)>,
    pub look: Look,
    /// To every forward pass.
    edits: Vec<Edit>,
    ids: Vec<u32>,
    work: Work,
}

/// What is left to do, or what was found.
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
    /// Nothing: the figures are made at once.
    Whole,
}

impl Looking {
    /// Looks at a model and, if another one is given, at what it shows beyond that.
    ///
    /// # Errors
    /// If one of them lacks what is to be looked at.
    pub fn beside(
        model: Arc<Model>,
        other: Option<(String, Arc<Model>)>,
        look: Look,
    ) -> Result<Self, LookError> {
        let beside = match other {
            Some((name, other)) => match Self::new(other, look.clone()) {
                Ok(looking) => Some((name, Box::new(looking))),
                Err(error) => return Err(LookError::Unlike { name, why: error.to_string() }),
            },
            None => None,
        };
        Ok(Self { beside, ..Self::new(model, look)? })
    }

    /// # Errors
    /// If the model lacks what is to be looked at.
    pub fn new(unchanged: Arc<Model>, look: Look) -> Result<Self, LookError> {
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
            let patching = Patching::new(&view, &model.plain, &ids, &other, &edits, patch, of)?;
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
                Work::Knockouts(Knockouts::new(&view, &model.plain, &ids, &edits, of)?)
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
        let plain = &self.model.plain;
        Ok(match &mut self.work {
            Work::Heads(scoring) => scoring.next(plain),
            Work::Knockouts(knockouts) => knockouts.next(plain),
            Work::Patching(patching) => patching.next(plain),
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

    /// What was found so far.
    pub fn standing(&self, is_done: bool) -> Looked {
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
        let on = On { model, unchanged, view: &view, look, edits, ids };
        match &self.work {
            Work::Heads(scoring) => return Ok(circuits::heads(&on, scoring)),
            Work::Knockouts(knockouts) => return change::knockouts(&on, knockouts),
            Work::Patching(patching) => return Ok(change::patching(&on, patching)),
            Work::Composition { found, random, .. } => {
                return Ok(circuits::composition(&on, found, random));
            }
            Work::Whole => {}
        }
        match look.what {
            What::Lens => residual::lens(&on),
            What::Attribution => residual::attribution(&on),
            What::Next => Ok(residual::next(&on)),
            What::Edited => change::edited(&on),
            What::Weights => change::weights(&on),
            What::Pattern => circuits::patterns(&on),
            What::ValueWeighted => circuits::value_weighted(&on),
            What::Difference => circuits::difference(&on),
            What::Ov | What::Qk => circuits::circuit(&on),
            What::Copying => circuits::copying(&on),
            What::Spectrum => circuits::spectrum(&on),
            What::Paths => circuits::paths(&on),
            What::Output => outputs::output(&on),
            What::Sparsity => Ok(outputs::sparsity(&on)),
            What::Truncation => outputs::truncation(&on),
            What::Component => outputs::component(&on),
            What::Distances => outputs::distances(&on),
            What::Directions => outputs::directions(&on),
            What::TopOfMind => Ok(outputs::top_of_mind(&on)),
            What::Recalled => memory::recalled(&on),
            What::Slots => memory::slots(&on),
            What::MemoryMap => memory::map(&on),
            What::Architecture => {
                Ok(architecture(&model.config, &model.layout, &model.flat, &model.edits))
            }
            _ => unreachable!("it has work of its own"),
        }
    }
}

/// What an analysis is of.
struct On<'a> {
    model: &'a Model,
    /// Before weights were changed.
    unchanged: &'a Model,
    view: &'a View<'a>,
    look: &'a Look,
    edits: &'a [Edit],
    ids: &'a [u32],
}

impl On<'_> {
    /// The prompt's forward pass, with the edits.
    fn record(&self) -> Recording {
        self.model.plain.record(self.ids, self.edits)
    }

    fn position(&self) -> Result<usize, LookError> {
        position(self.look, self.ids)
    }

    fn head(&self) -> Head {
        Head { layer: self.look.layer, head: self.look.head }
    }

    /// The prompt's characters.
    fn positions(&self) -> Axis {
        Axis::new("position", self.model.names(self.ids)).picking(Pick::Position)
    }

    /// The heads of a layer.
    fn heads(&self) -> Axis {
        let heads = (0..self.view.n_heads()).map(|head| format!("H{head}"));
        Axis::new("head", heads.collect()).picking(Pick::Head)
    }

    /// All characters.
    fn characters(&self, name: &str) -> Axis {
        Axis::new(name, self.model.names(&self.model.vocabulary()))
    }

    fn difference(&self) -> Result<LogitDifference, LookError> {
        difference(self.model, self.look, self.ids)
    }

    /// `“a” against “b”`
    fn describe(&self, of: LogitDifference) -> String {
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

fn position(look: &Look, ids: &[u32]) -> Result<usize, LookError> {
    let seq = ids.len();
    match look.position {
        None => Ok(seq.saturating_sub(1)),
        Some(position) if position < seq => Ok(position),
        Some(position) => Err(AnalysisError::NoPosition { position, seq }.into()),
    }
}

/// The logit difference that is asked for.
fn difference(model: &Model, look: &Look, ids: &[u32]) -> Result<LogitDifference, LookError> {
    // What was typed may be more than one token; the last one counts.
    let token = |typed: &Option<String>| -> Result<Option<u32>, LookError> {
        let ids = typed.as_ref().map_or(Ok(Vec::new()), |typed| model.tokenizer.cut(typed))?;
        Ok(ids.last().copied())
    };
    let position = position(look, ids)?;
    let token_asked = match (token(&look.character)?, ids.get(position + 1)) {
        (Some(token), _) => token,
        (None, Some(next)) => *next,
        (None, None) => {
            let logits = model.plain.record(ids, &[]).logits;
            let last = logits.chunks(model.tokenizer.vocab_size()).next_back().unwrap_or_default();
            let may_follow = last.iter().take(model.tokenizer.text_size());
            let likeliest = may_follow.enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            likeliest.map_or(0, |(token, _)| token as u32)
        }
    };
    let against = token(&look.against)?.map_or(Against::Mean, Against::Token);
    Ok(LogitDifference { position, token: token_asked, against })
}

fn folded(view: View, is_folded: bool) -> View {
    if is_folded { view.folded() } else { view }
}
