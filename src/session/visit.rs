//! Keeps steps and ends of runs, and visits them.

use std::sync::Arc;

use burn::tensor::ExecutionError;

use super::state::Session;
use crate::interp::lab::Snapshot;
use crate::kernel::transfer::floats;
use crate::protocol::{Baseline, Event};

/// Most bytes that the end of one earlier run takes.
const MAX_OF_RUN: usize = 16 << 20;
/// Earlier runs kept.
const RUNS: usize = 4;

impl<E: Fn(Event)> Session<E> {
    /// Keeps the run's step if it is one of those to keep.
    pub(super) async fn keep_step(&mut self) -> Result<(), ExecutionError> {
        let Some(trainer) = &self.trainer else { return Ok(()) };
        let (keeps, step) = (self.store.keeps_steps(), trainer.step);
        if !self.steps.is_due(step) || !keeps && self.steps.limit < 2 {
            return Ok(());
        }
        let flat = floats(trainer.model().parameters.clone().into_data_async().await?);
        if keeps {
            let kept = trainer.checkpoint_of(step, flat.clone());
            if let Err(error) = self.store.keep_step(&kept) {
                self.notice(format!("Step {step} was not kept: {error}."));
            }
        }
        self.steps.keep(step, flat);
        self.report_kept();
        Ok(())
    }

    /// Keeps the end of the run, before another one takes its place.
    pub(super) async fn keep_run(&mut self) {
        let Some(trainer) = self.trainer.as_ref().filter(|trainer| trainer.step > 0) else {
            return;
        };
        if 4 * trainer.model().layout.len() > MAX_OF_RUN {
            return;
        }
        // A device that fails shows it elsewhere too.
        if let Ok(model) = Snapshot::read(trainer).await {
            let loss = trainer.history.last().map_or(f32::NAN, |point| point.train_loss);
            let name = format!("an earlier run, at step {}, loss {loss:.3}", trainer.step);
            self.steps.runs.push((name, Arc::new(model)));
            let extra = self.steps.runs.len().saturating_sub(RUNS);
            self.steps.runs.drain(..extra);
        }
    }

    pub(super) fn report_kept(&self) {
        let steps = self.steps.kept.iter().map(|(step, _)| *step).collect();
        let runs = self.steps.runs.iter().map(|(name, _)| name.clone()).collect();
        (self.emit)(Event::Kept { steps, runs });
    }

    pub(super) async fn visit(&mut self, step: Option<usize>, baseline: Option<Baseline>) {
        (self.steps.visited, self.steps.baseline) = (step, baseline);
        if let Some(trainer) = &self.trainer {
            self.steps.model = self.steps.make_baseline(trainer);
            let baseline = self.steps.model.as_ref();
            let is_like =
                |model: &Snapshot| model.is_like(&trainer.config.model, &trainer.tokenizer);
            if let Some((name, _)) = baseline.filter(|(_, model)| !is_like(model)) {
                self.notice(format!(
                    "Attention and probabilities are not compared: {name}, has other heads or other tokens."
                ));
            }
        }
        self.trace().await;
        self.analysis.forget_model();
    }
}
