//! Earlier steps of a run, and the ends of earlier runs, to look into and to hold others against.

use std::sync::Arc;

use burn::tensor::ExecutionError;

use super::Session;
use crate::checkpoint::Checkpoint;
use crate::lab::Model;
use crate::protocol::{Beside, Event};
use crate::trainer::{Trainer, floats};

/// Steps kept of a run, evenly over its length; with twice as many, every second one goes.
const KEPT: usize = 64;
/// Most bytes that a run's steps take, and that the end of one earlier run does.
const MOST_BYTES: usize = 128 << 20;
const MOST_OF_RUN: usize = 16 << 20;
/// Earlier runs kept.
const RUNS: usize = 4;

/// What is kept, and what of it is looked at.
pub(super) struct Steps {
    /// A step is kept every so many.
    every: usize,
    /// Steps that there is room for; none, if that is for one only.
    most: usize,
    kept: Vec<(usize, Vec<f32>)>,
    runs: Vec<(String, Arc<Model>)>,
    visited: Option<usize>,
    beside: Option<Beside>,
    /// The model beside, as it is called.
    model: Option<(String, Arc<Model>)>,
}

impl Steps {
    pub(super) fn new() -> Self {
        let (kept, runs) = (Vec::new(), Vec::new());
        Self { every: 1, most: 0, kept, runs, visited: None, beside: None, model: None }
    }

    /// Forgets the steps of the last run; those of this one are kept from now on.
    pub(super) fn follow(&mut self, trainer: &Trainer) {
        self.most = (MOST_BYTES / (4 * trainer.layout.len()).max(1)).min(KEPT);
        let even = if self.most < 2 { KEPT } else { self.most };
        self.every = trainer.config.train.steps.div_ceil(even).max(1);
        self.kept.clear();
        (self.visited, self.beside, self.model) = (None, None, None);
    }

    /// The weights of a step that was kept.
    pub(super) fn at(&self, step: usize) -> Option<Vec<f32>> {
        self.of_step(step).cloned()
    }

    /// What is kept, which [`follow`](Self::follow) forgets.
    pub(super) fn take(&mut self) -> Vec<(usize, Vec<f32>)> {
        std::mem::take(&mut self.kept)
    }

    /// Keeps what was kept up to `step` of a run that goes on from there.
    pub(super) fn go_back(&mut self, mut kept: Vec<(usize, Vec<f32>)>, step: usize) {
        kept.retain(|(kept, _)| *kept <= step);
        self.kept = kept;
    }

    fn is_due(&self, step: usize) -> bool {
        step.is_multiple_of(self.every) && self.kept.last().is_none_or(|(last, _)| *last < step)
    }

    fn keep(&mut self, step: usize, flat: Vec<f32>) {
        if self.most < 2 {
            return;
        }
        self.kept.push((step, flat));
        if self.kept.len() >= 2 * self.most {
            self.every *= 2;
            let every = self.every;
            self.kept.retain(|(step, _)| step.is_multiple_of(every));
        }
    }

    fn of_step(&self, step: usize) -> Option<&Vec<f32>> {
        self.kept.iter().find(|(kept, _)| *kept == step).map(|(_, flat)| flat)
    }

    /// The step that is looked at in place of the newest, and its weights.
    pub(super) fn visited(&self) -> Option<(usize, &Vec<f32>)> {
        let step = self.visited?;
        Some((step, self.of_step(step)?))
    }

    /// What it is held against, as it is called.
    pub(super) fn beside(&self) -> Option<(String, Arc<Model>)> {
        self.model.clone()
    }

    /// Made when it is chosen, for it stays the same while the run trains on.
    fn make_beside(&self, trainer: &Trainer) -> Option<(String, Arc<Model>)> {
        match self.beside? {
            Beside::Run(run) => self.runs.get(run).cloned(),
            Beside::Step(step) => {
                let model = Model::new(trainer, step, self.of_step(step)?.clone());
                Some((format!("step {step}"), Arc::new(model)))
            }
        }
    }

    /// The step of the same run that it is held against, and its weights.
    pub(super) fn step_beside(&self) -> Option<(usize, &Vec<f32>)> {
        match self.beside? {
            Beside::Step(step) => Some((step, self.of_step(step)?)),
            Beside::Run(_) => None,
        }
    }
}

impl<E: Fn(Event)> Session<E> {
    /// Keeps the run's step if it is one of those to keep.
    pub(super) async fn keep_step(&mut self) -> Result<(), ExecutionError> {
        let Some(trainer) = &self.trainer else { return Ok(()) };
        let (keeps, step) = (self.store.keeps_steps(), trainer.step);
        if !self.steps.is_due(step) || !keeps && self.steps.most < 2 {
            return Ok(());
        }
        let flat = floats(trainer.parameters.clone().into_data_async().await?);
        if keeps {
            let kept = Checkpoint {
                config: trainer.config.clone(),
                step,
                tokenizer: trainer.tokenizer.clone(),
                history: trainer.history.clone(),
                edits: trainer.edits.clone(),
                parameters: flat.clone(),
                moments: None,
                bank: trainer.bank.clone(),
            };
            if let Err(error) = self.store.keep_step(&kept) {
                self.notice(format!("Step {step} was not kept: {error}."));
            }
        }
        self.steps.keep(step, flat);
        self.tell_kept();
        Ok(())
    }

    /// Keeps the end of the run, before another one takes its place.
    pub(super) async fn keep_run(&mut self) {
        let Some(trainer) = self.trainer.as_ref().filter(|trainer| trainer.step > 0) else {
            return;
        };
        if 4 * trainer.layout.len() > MOST_OF_RUN {
            return;
        }
        // A device that fails shows it elsewhere too.
        if let Ok(model) = Model::read(trainer).await {
            let loss = trainer.history.last().map_or(f32::NAN, |point| point.train_loss);
            let name = format!("an earlier run, at step {}, loss {loss:.3}", trainer.step);
            self.steps.runs.push((name, Arc::new(model)));
            let extra = self.steps.runs.len().saturating_sub(RUNS);
            self.steps.runs.drain(..extra);
        }
    }

    pub(super) fn tell_kept(&self) {
        let steps = self.steps.kept.iter().map(|(step, _)| *step).collect();
        let runs = self.steps.runs.iter().map(|(name, _)| name.clone()).collect();
        (self.emit)(Event::Kept { steps, runs });
    }

    pub(super) async fn visit(&mut self, step: Option<usize>, beside: Option<Beside>) {
        (self.steps.visited, self.steps.beside) = (step, beside);
        let trainer = self.trainer.as_ref();
        self.steps.model = trainer.and_then(|trainer| self.steps.make_beside(trainer));
        self.trace().await;
        self.sight.forget_model();
    }
}
