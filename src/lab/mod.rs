//! Looks into a model: runs the analysis that was asked for, a piece at a time, and tells what it
//! found as figures.

mod change;
mod circuits;
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
use crate::figure::{Axis, Figure, Pick, show_character};
use crate::look::{Asks, Look, Looked, What};
use crate::model::Layout;
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
    #[error("the character “{0}” is not one that this model knows; choose another")]
    NoCharacter(char),
    #[error("the prompt has {got} characters, and {most} can be looked at; shorten it")]
    TooLong { got: usize, most: usize },
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
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
}

impl Model {
    /// Reads back the weights of a run.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn read(trainer: &Trainer) -> Result<Self, ExecutionError> {
        let flat = floats(trainer.parameters.clone().into_data_async().await?);
        let (config, layout) = (trainer.config.model.clone(), trainer.layout.clone());
        let plain = Plain::new(&config, &layout, &flat);
        let (step, tokenizer) = (trainer.step, trainer.tokenizer.clone());
        let separator = match trainer.task {
            Task::Induction(_) => tokenizer.encode(SEPARATOR.encode_utf8(&mut [0; 4])).ok(),
            _ => None,
        };
        let separator = separator.and_then(|ids| ids.first().copied());
        Ok(Self { step, config, layout, flat, tokenizer, plain, separator })
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
        let character = self.tokenizer.character(token).unwrap_or('�');
        show_character(character).to_string()
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
    pub look: Look,
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
    /// # Errors
    /// If the model lacks what is to be looked at.
    pub fn new(model: Arc<Model>, look: Look) -> Result<Self, LookError> {
        let asks = |what| look.what.analysis().asks.contains(&what);
        let ids = if asks(Asks::Prompt) { model.encode(&look.prompt)? } else { Vec::new() };
        let view = model.view()?;
        if asks(Asks::Head) {
            view.check_head(Head { layer: look.layer, head: look.head })?;
        }
        let patch = |patch| -> Result<Work, LookError> {
            let other = model.encode_other(&look)?;
            let of = difference(&model, &look, &ids)?;
            let (plain, edits) = (&model.plain, &look.edits);
            let patching = Patching::new(&view, plain, &ids, &other, edits, patch, of)?;
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
                Work::Knockouts(Knockouts::new(&view, &model.plain, &ids, &look.edits, of)?)
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
        Ok(Self { model, look, ids, work })
    }

    /// Does one more piece; `false` if all is done.
    ///
    /// # Errors
    /// If the analysis cannot go on.
    pub fn advance(&mut self) -> Result<bool, LookError> {
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
        Looked { what: self.look.what, step: self.model.step, is_done, figures }
    }

    /// # Errors
    /// If the model lacks what is to be looked at.
    pub fn figures(&self) -> Result<Vec<Figure>, LookError> {
        let (model, look) = (&*self.model, &self.look);
        let view = folded(model.view()?, look.is_folded && look.what.asks_folding());
        let on = On { model, view: &view, look, ids: &self.ids };
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
            What::Edited => change::edited(&on),
            What::ValueWeighted => circuits::value_weighted(&on),
            What::Difference => circuits::difference(&on),
            What::Ov | What::Qk => circuits::circuit(&on),
            What::Copying => circuits::copying(&on),
            What::Spectrum => circuits::spectrum(&on),
            What::Paths => circuits::paths(&on),
            What::Output => outputs::output(&on),
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
    view: &'a View<'a>,
    look: &'a Look,
    ids: &'a [u32],
}

impl On<'_> {
    /// The prompt's forward pass, with the edits.
    fn record(&self) -> Recording {
        self.model.plain.record(self.ids, &self.look.edits)
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
    let token = |character: char| {
        let id = model.tokenizer.encode(character.encode_utf8(&mut [0; 4])).ok();
        id.and_then(|ids| ids.first().copied()).ok_or(LookError::NoCharacter(character))
    };
    let position = position(look, ids)?;
    let token_asked = match (look.character, ids.get(position + 1)) {
        (Some(character), _) => token(character)?,
        (None, Some(next)) => *next,
        (None, None) => {
            let logits = model.plain.record(ids, &[]).logits;
            let last = logits.chunks(model.tokenizer.vocab_size()).next_back().unwrap_or_default();
            let likeliest = last.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            likeliest.map_or(0, |(token, _)| token as u32)
        }
    };
    let against = look.against.map_or(Ok(Against::Mean), |c| token(c).map(Against::Token))?;
    Ok(LogitDifference { position, token: token_asked, against })
}

fn folded(view: View, is_folded: bool) -> View {
    if is_folded { view.folded() } else { view }
}
