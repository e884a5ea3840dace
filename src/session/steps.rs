//! Earlier steps of a run, and the ends of earlier runs, to look into and to hold others against.

use std::sync::Arc;

use crate::interp::lab::Snapshot;
use crate::learn::Trainer;
use crate::protocol::Baseline;

/// Steps kept of a run, evenly over its length; with twice as many, every second one goes.
const KEPT: usize = 64;
/// Most bytes that a run's steps take.
const MAX_BYTES: usize = 128 << 20;

/// Steps and runs that are kept, and those of them that are shown.
pub(super) struct Steps {
    every: usize,
    /// Steps that there is room for; none, if that is for one only.
    pub(super) limit: usize,
    pub(super) kept: Vec<(usize, Vec<f32>)>,
    pub(super) runs: Vec<(String, Arc<Snapshot>)>,
    pub(super) visited: Option<usize>,
    pub(super) baseline: Option<Baseline>,
    /// The baseline's name, and its model.
    pub(super) model: Option<(String, Arc<Snapshot>)>,
}

impl Steps {
    pub(super) fn new() -> Self {
        let (kept, runs) = (Vec::new(), Vec::new());
        Self { every: 1, limit: 0, kept, runs, visited: None, baseline: None, model: None }
    }

    /// Forgets the steps of the last run; those of this one are kept from now on.
    pub(super) fn follow(&mut self, trainer: &Trainer) {
        self.limit = (MAX_BYTES / (4 * trainer.model().layout.len()).max(1)).min(KEPT);
        let even = if self.limit < 2 { KEPT } else { self.limit };
        self.every = trainer.config.train.steps.div_ceil(even).max(1);
        self.kept.clear();
        (self.visited, self.baseline, self.model) = (None, None, None);
    }

    /// The weights of a step that was kept.
    pub(super) fn at(&self, step: usize) -> Option<Vec<f32>> {
        self.of_step(step).cloned()
    }

    /// Takes the steps that are kept, which [`follow`](Self::follow) forgets.
    pub(super) fn take(&mut self) -> Vec<(usize, Vec<f32>)> {
        std::mem::take(&mut self.kept)
    }

    /// Keeps what was kept up to `step` of a run that goes on from there.
    pub(super) fn go_back(&mut self, mut kept: Vec<(usize, Vec<f32>)>, step: usize) {
        kept.retain(|(kept, _)| *kept <= step);
        self.kept = kept;
    }

    /// A step is kept every so many.
    pub(super) fn every(&self) -> usize {
        self.every
    }

    pub(super) fn is_due(&self, step: usize) -> bool {
        step.is_multiple_of(self.every) && self.kept.last().is_none_or(|(last, _)| *last < step)
    }

    pub(super) fn keep(&mut self, step: usize, flat: Vec<f32>) {
        if self.limit < 2 {
            return;
        }
        self.kept.push((step, flat));
        if self.kept.len() >= 2 * self.limit {
            self.every *= 2;
            let every = self.every;
            self.kept.retain(|(step, _)| step.is_multiple_of(every));
        }
    }

    fn of_step(&self, step: usize) -> Option<&Vec<f32>> {
        self.kept.iter().find(|(kept, _)| *kept == step).map(|(_, flat)| flat)
    }

    /// The step that is shown in place of the newest, and its weights.
    pub(super) fn visited(&self) -> Option<(usize, &Vec<f32>)> {
        let step = self.visited?;
        Some((step, self.of_step(step)?))
    }

    /// The model that it is held against, and its name.
    pub(super) fn baseline(&self) -> Option<(String, Arc<Snapshot>)> {
        self.model.clone()
    }

    /// Made when it is chosen, for it stays the same while the run trains on.
    pub(super) fn make_baseline(&self, trainer: &Trainer) -> Option<(String, Arc<Snapshot>)> {
        match self.baseline? {
            Baseline::Run(run) => self.runs.get(run).cloned(),
            Baseline::Step(step) => {
                let model = Snapshot::new(trainer, step, self.of_step(step)?.clone());
                Some((format!("step {step}"), Arc::new(model)))
            }
        }
    }
}
