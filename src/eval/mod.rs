//! Accuracy of a model, record by record.

mod facts;
mod phone;
mod probe;
mod sweep;

use burn::tensor::ExecutionError;

use crate::base::random::stream_rng;
use crate::generate::{Decoder, Shown, Writer};
use crate::learn::Trainer;
use crate::report::Evaluated;
use crate::report::{EvalOptions, MAX_RECORDS, Report};
use crate::task::{Phone, Task};

pub use probe::Probing;
pub use sweep::{Sweep, SweepRun};

/// An evaluation in progress. It keeps the weights from its start, even if training goes on.
pub struct Evaluation {
    writer: Writer,
    task: Task,
    options: EvalOptions,
    /// Training step of the model.
    step: usize,
    report: Report,
    done: usize,
}

/// Reasons to refuse an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    #[error("only the tasks phone and facts and JSON records with answers say which are right")]
    Task,
}

impl Evaluation {
    /// Evaluates the run's model, or what is shown in its place.
    ///
    /// # Errors
    /// If the run's task is neither `phone` nor `facts` nor records in JSON with answers.
    pub fn new(
        trainer: &Trainer,
        shown: Option<Shown>,
        mut options: EvalOptions,
    ) -> Result<Self, EvalError> {
        let report = if let Some(task) = trainer.task.downcast_ref::<Phone>() {
            Report::Phone(phone::empty(task))
        } else if facts::has_answers(&trainer.task) {
            Report::Facts(Default::default())
        } else {
            return Err(EvalError::Task);
        };
        options.records = options.records.clamp(1, MAX_RECORDS);
        let step = shown.as_ref().map_or(trainer.step, |(step, _)| *step);
        let decoder = Decoder::of(trainer.model(), shown);
        let writer = Writer::with(decoder, &trainer.tokenizer, options);
        let task = trainer.task.clone();
        Ok(Self { writer, task, options, step, report, done: 0 })
    }

    /// Evaluates one more record; `false` if none is left.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self) -> Result<bool, ExecutionError> {
        if self.done == self.options.records {
            return Ok(false);
        }
        let mut rng = stream_rng(self.options.seed, self.done as u64);
        let Self { task, report, .. } = self;
        match (report, task.downcast_ref::<Phone>()) {
            (Report::Phone(report), Some(task)) => {
                phone::score(report, task, &mut self.writer, &mut rng).await?;
                if self.done == 0 && self.options.temperature > 0.0 {
                    phone::repeat(report, task, &mut self.writer, &mut rng).await?;
                }
            }
            (Report::Facts(report), _) => {
                facts::score(report, task, self.done, &mut self.writer, &mut rng).await?;
            }
            (Report::Phone(_), None) => unreachable!("the report is made for the task"),
        }
        self.done += 1;
        Ok(true)
    }

    /// Progress so far.
    pub fn progress(&self) -> Evaluated {
        let Self { step, options, done, .. } = *self;
        Evaluated { step, options, done, report: self.report.clone() }
    }
}
