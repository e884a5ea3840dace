//! Evaluation of the model on records.

use burn::tensor::ExecutionError;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use web_time::Duration;

use super::job::{Context, Job, StartError, Started, options};
use crate::checkpoint::Checkpoint;
use crate::codec::CodecRun;
use crate::eval::Evaluation;
use crate::protocol::{Evaluate, JobReport, JobRequest};
use crate::report::{EvalOptions, Evaluated, MAX_RECORDS, MappingReport, Report};

/// An evaluation that takes no longer needs no help.
const ALONE: Duration = Duration::from_millis(500);
/// Most parameters of a model that other workers get.
const MAX_SENT: usize = 4 << 20;

pub(super) fn start<'a>(
    context: Context<'a>,
    request: &'a JobRequest,
) -> LocalBoxFuture<'a, Started> {
    async move {
        let options = options::<Evaluate>(request)?;
        if let Some(run) = context.codec {
            return Ok((Box::new(CodecEvaluation::new(run, options)) as Box<dyn Job>, None));
        }
        let trainer = context.trainer("evaluate")?;
        let refused = |error| StartError::Refused(format!("The model was not evaluated: {error}."));
        let mut evaluation = Evaluation::new(trainer, context.shown(), options).map_err(refused)?;
        if context.shown.is_none() && trainer.model().layout.len() <= MAX_SENT {
            let checkpoint = trainer.checkpoint().await.map_err(StartError::Device)?;
            // A run that cannot be saved is evaluated by this worker alone.
            let checkpoint = Checkpoint { moments: None, ..checkpoint };
            if let (true, Ok(run)) = (checkpoint.is_finite(), checkpoint.to_bytes()) {
                evaluation = evaluation.helped(context.crew.clone(), run, ALONE);
            }
        }
        Ok((Box::new(evaluation) as Box<dyn Job>, None))
    }
    .boxed_local()
}

impl Job for Evaluation {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<bool, ExecutionError>> {
        Evaluation::next(self).boxed_local()
    }

    fn report(&self) -> Result<JobReport, postcard::Error> {
        JobReport::new::<Evaluate>(&self.progress())
    }

    fn is_of_shown(&self) -> bool {
        true
    }
}

/// Records that a codec writes at a time.
const PIECE: usize = 50;

/// Training and held-out records by turns, written by a codec as it was when it began.
struct CodecEvaluation {
    run: CodecRun,
    options: EvalOptions,
    done: usize,
    report: MappingReport,
}

impl CodecEvaluation {
    fn new(run: &CodecRun, options: EvalOptions) -> Self {
        let records = options.records.clamp(1, MAX_RECORDS);
        let (options, report) = (EvalOptions { records, ..options }, MappingReport::default());
        Self { run: run.clone(), options, done: 0, report }
    }
}

impl Job for CodecEvaluation {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<bool, ExecutionError>> {
        let end = self.options.records.min(self.done + PIECE);
        for number in self.done..end {
            match number.is_multiple_of(2) {
                true => self.report.trained.add(&self.run.of_training(number / 2)),
                false => self.report.held_out.add(&self.run.of_held_out(number / 2)),
            }
        }
        self.done = end;
        let more = self.done < self.options.records;
        async move { Ok(more) }.boxed_local()
    }

    fn report(&self) -> Result<JobReport, postcard::Error> {
        let report = Report::Mapping(self.report.clone());
        let (step, options, done) = (self.run.step, self.options, self.done);
        JobReport::new::<Evaluate>(&Evaluated { step, options, done, report })
    }

    fn is_of_shown(&self) -> bool {
        true
    }
}
