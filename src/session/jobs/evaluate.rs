//! Evaluation of the model on records.

use burn::tensor::ExecutionError;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use web_time::Duration;

use super::job::{Context, Job, StartError, Started, options};
use crate::checkpoint::Checkpoint;
use crate::eval::Evaluation;
use crate::protocol::{Evaluate, JobReport, JobRequest};

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
        let trainer = context.trainer("evaluate")?;
        let refused = |error| StartError::Refused(format!("The model was not evaluated: {error}."));
        let mut evaluation =
            Evaluation::new(trainer, context.shown(), options).map_err(refused)?;
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
