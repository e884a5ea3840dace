//! Runs of a sweep, each trained until it recalls everything or completes its steps.

use std::collections::VecDeque;
use std::rc::Rc;

use burn::tensor::{Device, ExecutionError};

use super::errands::{Errands, rest};
use crate::data::{Batch, Row};
use crate::report::sweep::{Current, Outcome, Sweeping, stored_bits};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::config::{ConfigError, MemoryLimits, RunConfig};
use crate::report::Score;
use crate::task::{Facts, RecordSource, Split};
use crate::run::Field;
use crate::kernel::is_cpu;
use crate::learn::{Brought, Crew, Errand, Trainer, hits};

/// Most records to recall, spread evenly over all.
const MAX_RECORDS: usize = 1000;
/// Records per batch.
const ROWS: usize = 32;

/// One run of a sweep.
pub struct SweepRun {
    trainer: Trainer,
    link: String,
}

impl SweepRun {
    /// # Errors
    /// If the run does not work on a device with `limits`, or is not of facts.
    pub fn new(
        config: RunConfig,
        device: Device,
        limits: &MemoryLimits,
    ) -> Result<Self, ConfigError> {
        let link = name(&config)?;
        Ok(Self { trainer: Trainer::new(config, device, limits)?, link })
    }

    /// Resumes a saved run.
    ///
    /// # Errors
    /// As for [`Trainer::resume`].
    pub fn resume(
        checkpoint: Checkpoint,
        device: Device,
        limits: &MemoryLimits,
    ) -> Result<Self, CheckpointError> {
        let link = name(&checkpoint.config)?;
        Ok(Self { trainer: Trainer::resume(checkpoint, device, limits)?, link })
    }

    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Trains the run to its end.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn finish(mut self) -> Result<Outcome, ExecutionError> {
        loop {
            if let Some(outcome) = self.next().await? {
                return Ok(outcome);
            }
        }
    }

    /// Trains one more step. Returns the outcome of the run once it is known.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self) -> Result<Option<Outcome>, ExecutionError> {
        let mut looks = true;
        if !self.trainer.finished() {
            let step = self.trainer.step().await?;
            looks = step.fields.is_some() || !step.loss.train_loss.is_finite();
        }
        let last = self.trainer.history.last().map(|point| point.train_loss);
        let train_loss = last.filter(|loss| loss.is_finite());
        if !looks && !self.trainer.finished() {
            return Ok(None);
        }
        let Some(facts) = self.trainer.task.downcast_ref::<Facts>() else { return Ok(None) };
        let recalled = recall(&self.trainer, facts).await?;
        let is_over =
            self.trainer.finished() || train_loss.is_none() || recalled.right == recalled.of;
        if !is_over {
            return Ok(None);
        }
        let (answers, entropy) = facts.answers();
        let RunConfig { task, seed, .. } = &self.trainer.config;
        Ok(Some(Outcome {
            link: self.link.clone(),
            facts: task.facts.facts,
            parameters: self.trainer.model().layout.len(),
            seed: *seed,
            steps: self.trainer.step,
            recalled,
            train_loss,
            bits: stored_bits(facts.trained(), recalled, answers, entropy),
        }))
    }
}

/// Name of the run, if its task is facts.
fn name(config: &RunConfig) -> Result<String, ConfigError> {
    if config.task.kind != crate::config::TaskKind::Facts {
        return Err(ConfigError::Task("only the task facts has facts to be recalled".into()));
    }
    crate::report::sweep::name(config).map_err(|error| ConfigError::Task(error.to_string()))
}

/// Number of training records that the model completes exactly from the end of their question, always with the
/// likeliest character.
async fn recall(trainer: &Trainer, facts: &Facts) -> Result<Score, ExecutionError> {
    let context = trainer.config.model.context;
    let records = facts.records(Split::Train);
    let stride = records.len().div_ceil(MAX_RECORDS).max(1);
    let records: Vec<_> = records.iter().step_by(stride).collect();
    let mut recalled = Score::default();
    for records in records.chunks(ROWS) {
        let rows: Vec<Row> =
            records.iter().map(|record| Row::new(record, &trainer.tokenizer, context)).collect();
        let batch = Batch::new(&rows, context, &trainer.device());
        let [_, seq] = batch.inputs.dims();
        let logits = trainer.predict(&batch).logits;
        // Memory tokens are never written.
        let logits = logits.narrow(2, 0, trainer.tokenizer.text_size());
        // The likeliest characters equal the record's as long as all earlier ones did, so one pass over the record
        // replaces writing.
        let Some(hits) = hits(logits, &batch.targets) else {
            unreachable!("records are tokens");
        };
        let hits = hits.into_data_async().await?;
        let hits: Vec<bool> = hits.iter::<bool>().collect();
        for (hits, fields) in hits.chunks(seq).zip(batch.fields.chunks(seq)) {
            let asked = fields.iter().rposition(|field| *field == Some(Field::Question));
            let from = asked.map_or(0, |last| last + 1);
            let told = fields[from..].iter().zip(&hits[from..]).filter(|(f, _)| f.is_some());
            recalled.add(told.into_iter().all(|(_, hit)| *hit));
        }
    }
    Ok(recalled)
}

/// A sweep in progress: a run here, and one with each worker that is free.
pub struct Sweep {
    runs: VecDeque<RunConfig>,
    current: Option<SweepRun>,
    elsewhere: Errands<RunConfig>,
    done: Vec<Outcome>,
    device: Device,
    limits: MemoryLimits,
}

impl Sweep {
    /// # Errors
    /// As of [`Sweep::check`].
    pub fn new(
        runs: Vec<RunConfig>,
        device: Device,
        limits: MemoryLimits,
        crew: Rc<dyn Crew>,
    ) -> Result<Self, ConfigError> {
        Self::check(&runs, &limits)?;
        let (elsewhere, done) = (Errands::new(crew), Vec::new());
        Ok(Self { runs: runs.into(), current: None, elsewhere, done, device, limits })
    }

    /// # Errors
    /// The first of `runs` that does not work on a device with `limits`, or is not of facts.
    pub fn check(runs: &[RunConfig], limits: &MemoryLimits) -> Result<(), ConfigError> {
        let mut checked: Option<&RunConfig> = None;
        for run in runs {
            // A run that differs only by its seed needs no further check.
            if checked.is_none_or(|other| RunConfig { seed: other.seed, ..run.clone() } != *other) {
                name(run)?;
                Trainer::check(run, limits)?;
            }
            checked = Some(run);
        }
        Ok(())
    }

    /// Trains one more step of the run that is trained here; `false` if all runs have ended.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self) -> Result<bool, ExecutionError> {
        self.collect();
        if self.current.is_none()
            && let Some(run) = self.runs.pop_front()
        {
            // `new` checked all runs, so none is refused here.
            self.current = SweepRun::new(run, self.device.clone(), &self.limits).ok();
        }
        self.hand_out();
        match &mut self.current {
            Some(run) => {
                if let Some(outcome) = run.next().await? {
                    self.done.push(outcome);
                    self.current = None;
                }
            }
            None if !self.elsewhere.is_empty() => rest().await,
            None => {}
        }
        Ok(self.current.is_some() || !self.elsewhere.is_empty() || !self.runs.is_empty())
    }

    /// Gives runs to the workers that are free.
    fn hand_out(&mut self) {
        while is_cpu(&self.device)
            && let Some(run) = self.runs.pop_front()
        {
            let errand = |run: &RunConfig| Errand::Run(run.clone().into());
            if let Some(run) = self.elsewhere.send(run, errand) {
                self.runs.push_front(run);
                break;
            }
        }
    }

    /// Takes the outcomes that have come. A run whose worker has ended is to be trained again.
    fn collect(&mut self) {
        for (run, brought) in self.elsewhere.collect() {
            match brought {
                Some(Brought::Run(outcome)) => self.done.push(outcome),
                Some(Brought::Records(_)) | None => self.runs.push_front(run),
            }
        }
    }

    /// Progress so far.
    pub fn progress(&self) -> Sweeping {
        let current = self.current.as_ref().map(|SweepRun { trainer, .. }| Current {
            facts: trainer.config.task.facts.facts,
            parameters: trainer.model().layout.len(),
            seed: trainer.config.seed,
            step: trainer.step,
            steps: trainer.config.train.steps,
        });
        let (elsewhere, left) = (self.elsewhere.len(), self.runs.len());
        Sweeping { done: self.done.clone(), current, elsewhere, left }
    }
}
