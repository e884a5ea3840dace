//! Distillation: a clone of a model has memories in the place of some MLPs, and learns to predict what the
//! model itself predicts (Hinton et al. 2015), its own weights being kept.
//!
//! The loss is KL(teacher ‖ clone) of every prediction that counts, and of each replaced layer the mean
//! squared error between what the teacher's MLP writes and what the memory writes, as a share of the
//! former's mean square, so that layers and models of any size weigh alike. Each model reads its own residual
//! stream: both passes are made anyway, so a layer costs one subtraction, and a later memory learns to make up for
//! what an earlier one left.
//!
//! The values of stores are trained too, whatever their kind; queries and keys stay as they were
//! drawn. An associative store holds projections of what was read otherwise, which are no more than linear,
//! and found by other queries than they learned from.

mod clone;
mod objective;
mod source;

use burn::tensor::{Device, ExecutionError};

use crate::checkpoint::Checkpoint;
use crate::config::{MemoryLimits, RunConfig};
use crate::generate::Writer;
use crate::learn::Trainer;
use crate::report::{DistillReport, EvalOptions, LayerError, SideBySide};

pub use clone::{DistillError, untrained};
use objective::Imitation;
use source::Source;

/// Characters written side by side.
const SIDE_CHARS: usize = 64;
/// Times that a distillation has its clone write.
const SIDES: usize = 16;

/// A clone that learns from its teacher.
pub struct Distillation {
    /// The clone, as a run whose losses are KL(teacher ‖ clone), in nats per token.
    clone: Trainer,
    /// Layers with memories.
    layers: Vec<usize>,
    report: DistillReport,
}

impl Distillation {
    /// A clone of `teacher` before it has learned: see [`untrained`]. Both read `text`, or without one
    /// the training records of the teacher's task.
    ///
    /// # Errors
    /// As of [`untrained`]; if a model from elsewhere is given no text; if the teacher does not know a
    /// character of `text` or `prompt`; if the device failed.
    pub async fn new(
        teacher: Checkpoint,
        config: &RunConfig,
        text: Option<&str>,
        prompt: Option<String>,
        device: Device,
        limits: &MemoryLimits,
    ) -> Result<Self, DistillError> {
        let untrained = untrained(&teacher, config, limits)?;
        let layers: Vec<usize> = (0..untrained.config.model.n_layers)
            .filter(|layer| untrained.config.model.memory.of(*layer).is_some())
            .collect();
        let clone = Trainer::resume(untrained, device.clone(), limits)?;
        let source = Source::new(&clone, text)?;
        let prompt = prompt.unwrap_or_else(|| source.prompt(&clone));
        clone.tokenizer.encode(&prompt)?;
        let trained = clone::trained(&clone.model().layout, clone.config.model.memory.kind);
        let teacher = Trainer::resume(teacher, device, limits)?;
        let written = write(&teacher, &prompt).await?;
        let report = DistillReport {
            steps: clone.config.train.steps,
            sides: Some(SideBySide { prompt, teacher: written, ..SideBySide::default() }),
            ..DistillReport::default()
        };
        let objective = Imitation::new(teacher.learner.model, layers.clone());
        let clone = clone.with_objective(objective, source, trained);
        Ok(Self { clone, layers, report })
    }

    /// The clone as it is now.
    pub fn trainer(&self) -> &Trainer {
        &self.clone
    }

    /// The progress so far.
    pub fn progress(&self) -> &DistillReport {
        &self.report
    }

    /// Trains one more step; `false` once all are done, or the clone has diverged.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self) -> Result<bool, ExecutionError> {
        if self.clone.step < self.report.steps {
            let figures = self.clone.step().await?.figures;
            self.note(&figures);
        }
        let is_over = self.clone.step >= self.report.steps || !self.report.kl.is_finite();
        let every = (self.report.steps / SIDES).max(1);
        if is_over || self.clone.step.is_multiple_of(every) {
            let step = self.clone.step;
            if let Some(sides) = self.report.sides.as_mut().filter(|sides| sides.step < step) {
                sides.clone = write(&self.clone, &sides.prompt).await?;
                sides.step = step;
            }
        }
        Ok(!is_over)
    }

    /// Puts the figures of a step into the report.
    fn note(&mut self, figures: &[f32]) {
        let Self { clone, report, layers } = self;
        let [kl, agreement, errors @ ..] = figures else { return };
        (report.step, report.kl, report.agreement) = (clone.step, *kl, *agreement);
        if clone.step == 1 {
            report.first_kl = *kl;
        }
        let slots = |layer: usize| Some(clone.model().bank.layer(layer)?.store.ids().len());
        let error = |(layer, error): (&usize, &f32)| LayerError {
            layer: *layer,
            error: *error,
            slots: slots(*layer),
        };
        report.layers = layers.iter().zip(errors).map(error).collect();
    }
}

/// The greedy continuation of `prompt` by a model.
async fn write(run: &Trainer, prompt: &str) -> Result<String, ExecutionError> {
    let writer = &mut Writer::new(run.model(), &run.tokenizer, EvalOptions::default());
    Ok(writer.write(prompt, "{E}", SIDE_CHARS).await?.text)
}
