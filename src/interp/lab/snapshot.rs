//! A model on the host, as analyses take it.

use burn::tensor::ExecutionError;

use super::error::RequestError;
use super::fit;
use super::fit::check_fit;
use crate::arch::{Layout, Parameter};
use crate::checkpoint::Checkpoint;
use crate::config::ModelConfig;
use crate::figure::{Axis, Pick, show_token};
use crate::host::{HostModel, Weights};
use crate::interp::analysis::{AnalysisError, View};
use crate::interp::trace::{Logits, Traced};
use crate::kernel::transfer::floats;
use crate::learn::Trainer;
use crate::memory::Bank;
use crate::protocol::Trace;
use crate::run::{Adapter, AppliedOperation, Intervention, WeightIntervention};
use crate::task::Task;
use crate::tokenizer::{TokenizeError, Tokenizer};

/// Most numbers that a forward pass records of one kind, such as patterns: 64 MiB of them.
const MAX_RECORDED: usize = 16 << 20;

/// A model as it was at one step, on the host.
pub struct Snapshot {
    pub step: usize,
    pub(super) config: ModelConfig,
    pub(super) layout: Layout,
    pub(super) weights: Weights,
    /// Operations done to it.
    pub(super) edits: Vec<AppliedOperation>,
    pub(super) tokenizer: Tokenizer,
    pub(super) bank: Bank,
    /// Adapters in its weights; none of earlier steps.
    pub(super) adapters: Vec<Adapter>,
    pub(super) host: HostModel,
    /// The token between a block and the block again, if its task writes one.
    pub(super) separator: Option<u32>,
    /// The last validation loss until then, in nats per character.
    pub(super) validation: Option<f32>,
}

impl Snapshot {
    /// Reads back the weights of a run.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn read(trainer: &Trainer) -> Result<Self, ExecutionError> {
        let flat = floats(trainer.model().parameters.clone().into_data_async().await?);
        let adapters = match trainer.learner.adapters() {
            Some(_) => trainer.checkpoint().await?.adapters,
            None => Vec::new(),
        };
        Ok(Self { adapters, ..Self::new(trainer, trainer.step, flat) })
    }

    /// The model of a run with the weights of a step.
    ///
    /// # Shapes
    /// `flat`: `[trainer.model().layout.len()]`
    pub fn new(trainer: &Trainer, step: usize, flat: Vec<f32>) -> Self {
        Self::of(trainer.checkpoint_of(step, flat.into()), &trainer.task)
    }

    /// The model of a run, whose weights it shares. `task` is the run's own.
    pub fn of(run: Checkpoint<Weights>, task: &Task) -> Self {
        let weights = run.adapted();
        let Checkpoint { config, step, tokenizer, history, edits, bank, adapters, .. } = run;
        let config = config.model;
        let layout = Layout::new(&config, tokenizer.vocab_size());
        let host = HostModel::new(&config, &layout, weights.clone()).remember(&bank);
        let separator = task.separator();
        let separator = separator.and_then(|c| tokenizer.tokenize(c.encode_utf8(&mut [0; 4])).ok());
        let separator = separator.and_then(|ids| ids.first().copied());
        let validated = history.iter().filter(|point| point.step <= step);
        let validation = validated.rev().find_map(|point| point.val_loss);
        Self {
            step,
            config,
            layout,
            weights,
            edits,
            tokenizer,
            bank,
            adapters,
            host,
            separator,
            validation,
        }
    }

    /// The place, in the flat vector, of a parameter, and its rows and columns: a vector is a column.
    pub(super) fn parameter(&self, name: &str) -> Result<(&Parameter, [usize; 2]), RequestError> {
        fit::parameter(&self.layout, name)
    }

    /// This model with other weights in some places.
    pub(super) fn changed(&self, cells: &[&WeightIntervention]) -> Result<Self, RequestError> {
        let mut weights = self.weights.clone();
        for cell in cells {
            let (parameter, place) = fit::cell(&self.layout, cell)?;
            weights.change(parameter, |values| values[place] = cell.value);
        }
        let host = HostModel::new(&self.config, &self.layout, weights.clone()).remember(&self.bank);
        Ok(Self {
            step: self.step,
            config: self.config.clone(),
            layout: self.layout.clone(),
            weights,
            bank: self.bank.clone(),
            adapters: self.adapters.clone(),
            edits: self.edits.clone(),
            tokenizer: self.tokenizer.clone(),
            host,
            separator: self.separator,
            validation: self.validation,
        })
    }

    /// The model on the host with these interventions in every forward pass.
    ///
    /// # Errors
    /// If the model lacks a part or a weight that one is on.
    pub fn ablated(&self, interventions: &[Intervention]) -> Result<HostModel, RequestError> {
        check_fit(&self.config, &self.layout, interventions)?;
        let (activations, weights) = Intervention::split(interventions);
        Ok(self.changed(&weights)?.host.ablate(activations))
    }

    /// True if its patterns and predictions are of the shapes and the tokens of a model.
    pub fn is_like(&self, config: &ModelConfig, tokenizer: &Tokenizer) -> bool {
        (self.config.n_layers, self.config.n_heads) == (config.n_layers, config.n_heads)
            && self.tokenizer == *tokenizer
    }

    /// Traces a prompt as [`Traced::record`] does. `task` is that of the text.
    ///
    /// # Errors
    /// If the model cannot read the prompt.
    pub fn trace(&self, prompt: &str, task: &Task) -> Result<(Trace, Logits), TokenizeError> {
        let Self { config: model, tokenizer, step, .. } = self;
        let ids = tokenizer.encode(prompt)?;
        Ok(Traced { model, tokenizer, task, step: *step }.record(&self.host, ids))
    }

    pub(super) fn view(&self) -> Result<View<'_>, AnalysisError> {
        View::new(&self.config, &self.layout, self.weights.clone())
    }

    /// Longest sequence, in tokens, of which all is recorded.
    fn longest_prompt(&self) -> usize {
        let ModelConfig { n_layers, n_heads, d_model, context, .. } = self.config;
        let heads = (n_layers * n_heads).max(1);
        let by_patterns = (MAX_RECORDED / heads).isqrt();
        let by_heads = MAX_RECORDED / (heads * d_model).max(1);
        by_patterns.min(by_heads).clamp(1, context)
    }

    pub(super) fn encode(&self, prompt: &str) -> Result<Vec<u32>, RequestError> {
        let ids = self.tokenizer.encode(prompt)?;
        let memory = self.tokenizer.memory_tokens();
        let limit = self.longest_prompt().saturating_sub(memory);
        match ids.len() - memory {
            got if got > limit => Err(RequestError::TooLong { got, limit }),
            _ => Ok(ids),
        }
    }

    /// A token as it is shown.
    pub(super) fn name(&self, token: u32) -> String {
        show_token(self.tokenizer.token(token).unwrap_or("�"))
    }

    pub(super) fn names(&self, tokens: &[u32]) -> Vec<String> {
        tokens.iter().map(|token| self.name(*token)).collect()
    }

    pub(super) fn vocabulary(&self) -> Vec<u32> {
        (0..self.tokenizer.vocab_size() as u32).collect()
    }

    pub(super) fn layers(&self) -> Axis {
        let layers = (0..self.config.n_layers).map(|layer| format!("L{layer}"));
        Axis::new("layer", layers.collect()).picking(Pick::Layer)
    }
}
