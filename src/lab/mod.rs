//! Looks into a model: runs the analysis that was asked for, a piece at a time, and tells what it
//! found as figures.

mod change;
mod circuits;
mod less;
mod outputs;
mod residual;

use std::sync::Arc;

use burn::tensor::ExecutionError;

use crate::analysis::attribution::{Against, LogitDifference};
use crate::analysis::composition::{Baseline, Composition, composition, random_composition};
use crate::analysis::heads::Scoring;
use crate::analysis::patching::{Knockouts, Patch, Patching};
use crate::analysis::{AnalysisError, Head, View};
use crate::config::ModelConfig;
use crate::edit::{Cell, Edit, Intervention};
use crate::figure::{Axis, Figure, Pick, show_token};
use crate::look::{Asks, Look, Looked, What};
use crate::model::Layout;
use crate::model::weights::Parameter;
use crate::plain::{Plain, Recording};
use crate::task::{SEPARATOR, Task};
use crate::tokenizer::{Tokenizer, UnknownCharacter};
use crate::trainer::{Trainer, floats};

/// Most numbers that a forward pass records of one kind, such as patterns: 64 MiB of them.
const MOST_RECORDED: usize = 16 << 20;
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
    #[error("it cannot be held against {name}, which has other parts: {why}")]
    Unlike { name: String, why: String },
}

/// A model as it was at one step, on the host.
pub struct Model {
    pub step: usize,
    config: ModelConfig,
    layout: Layout,
    flat: Vec<f32>,
    tokenizer: Tokenizer,
    plain: Plain,
    /// What its task writes between a block and the block again, if it does that.
    separator: Option<u32>,
    /// The last validation loss until then, in nats per character.
    validation: Option<f32>,
}

impl Model {
    /// Reads back the weights of a run.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn read(trainer: &Trainer) -> Result<Self, ExecutionError> {
        let flat = floats(trainer.parameters.clone().into_data_async().await?);
        Ok(Self::new(trainer, trainer.step, flat))
    }

    /// The model of a run with the weights of a step.
    ///
    /// # Shapes
    /// `flat`: `[trainer.layout.len()]`
    pub fn new(trainer: &Trainer, step: usize, flat: Vec<f32>) -> Self {
        let (config, layout) = (trainer.config.model.clone(), trainer.layout.clone());
        let plain = Plain::new(&config, &layout, &flat);
        let tokenizer = trainer.tokenizer.clone();
        let separator = match trainer.task {
            Task::Induction(_) => tokenizer.encode(SEPARATOR.encode_utf8(&mut [0; 4])).ok(),
            _ => None,
        };
        let separator = separator.and_then(|ids| ids.first().copied());
        let validated = trainer.history.iter().filter(|point| point.step <= step);
        let validation = validated.rev().find_map(|point| point.val_loss);
        Self { step, config, layout, flat, tokenizer, plain, separator, validation }
    }

    /// The place, in the flat vector, of a parameter, and its rows and columns: a vector is a column.
    fn parameter(&self, name: &str) -> Result<(&Parameter, [usize; 2]), LookError> {
        let parameter = self.layout.find(name).ok_or_else(|| {
            let names = self.layout.parameters().iter().map(|parameter| parameter.name.as_str());
            LookError::NoParameter {
                asked: name.chars().take(60).collect(),
                has: names.collect::<Vec<_>>().join(", "),
            }
        })?;
        let rows = parameter.shape[0];
        Ok((parameter, [rows, parameter.range.len() / rows.max(1)]))
    }

    /// This model with other weights in some places.
    fn changed(&self, cells: &[&Cell]) -> Result<Self, LookError> {
        let mut flat = self.flat.clone();
        for cell in cells {
            let (parameter, [rows, columns]) = self.parameter(&cell.parameter)?;
            if cell.row >= rows || cell.column >= columns {
                return Err(LookError::NoCell { cell: (*cell).clone(), rows, columns });
            }
            flat[parameter.range.start + cell.row * columns + cell.column] = cell.value;
        }
        let plain = Plain::new(&self.config, &self.layout, &flat);
        Ok(Self {
            step: self.step,
            config: self.config.clone(),
            layout: self.layout.clone(),
            flat,
            tokenizer: self.tokenizer.clone(),
            plain,
            separator: self.separator,
            validation: self.validation,
        })
    }

    fn view(&self) -> Result<View<'_>, AnalysisError> {
        View::new(&self.config, &self.layout, &self.flat)
    }

    /// Longest prompt, in tokens, of which all is recorded.
    fn longest_prompt(&self) -> usize {
        let ModelConfig { n_layers, n_heads, d_model, context, .. } = self.config;
        let heads = (n_layers * n_heads).max(1);
        let by_patterns = (MOST_RECORDED / heads).isqrt();
        let by_heads = MOST_RECORDED / (heads * d_model).max(1);
        by_patterns.min(by_heads).clamp(1, context)
    }

    fn encode(&self, prompt: &str) -> Result<Vec<u32>, LookError> {
        let ids = self.tokenizer.encode(prompt)?;
        let most = self.longest_prompt();
        match ids.len() {
            0 => Err(LookError::Empty),
            got if got > most => Err(LookError::TooLong { got, most }),
            _ => Ok(ids),
        }
    }

    /// The second prompt.
    fn encode_other(&self, look: &Look) -> Result<Vec<u32>, LookError> {
        if look.other.is_empty() { Err(LookError::EmptyOther) } else { self.encode(&look.other) }
    }

    /// A token as it is shown.
    fn name(&self, token: u32) -> String {
        show_token(self.tokenizer.token(token).unwrap_or("�"))
    }

    fn names(&self, tokens: &[u32]) -> Vec<String> {
        tokens.iter().map(|token| self.name(*token)).collect()
    }

    fn vocabulary(&self) -> Vec<u32> {
        (0..self.tokenizer.vocab_size() as u32).collect()
    }

    fn layers(&self) -> Axis {
        let layers = (0..self.config.n_layers).map(|layer| format!("L{layer}"));
        Axis::new("layer", layers.collect()).picking(Pick::Layer)
    }
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
    Patching(Patching),
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
            Ok(Work::Patching(patching))
        };
        let work = match look.what {
            What::Heads => {
                let block = BLOCK.min((model.config.context - 1) / 2);
                let scoring = Scoring::new(&view, block, DRAWS, SEED)?;
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
        let ids = typed.as_ref().map_or(Ok(Vec::new()), |typed| model.tokenizer.encode(typed))?;
        Ok(ids.last().copied())
    };
    let position = position(look, ids)?;
    let token_asked = match (token(&look.character)?, ids.get(position + 1)) {
        (Some(token), _) => token,
        (None, Some(next)) => *next,
        (None, None) => {
            let logits = model.plain.record(ids, &[]).logits;
            let last = logits.chunks(model.tokenizer.vocab_size()).next_back().unwrap_or_default();
            let likeliest = last.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            likeliest.map_or(0, |(token, _)| token as u32)
        }
    };
    let against = token(&look.against)?.map_or(Against::Mean, Against::Token);
    Ok(LogitDifference { position, token: token_asked, against })
}

fn folded(view: View, is_folded: bool) -> View {
    if is_folded { view.folded() } else { view }
}
