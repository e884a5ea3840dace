//! Evaluation of the model on records.

use burn::tensor::ExecutionError;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::job::{Context, Job, StartError, Started, options};
use crate::eval::Evaluation;
use crate::protocol::{Evaluate, JobReport, JobRequest};

pub(super) fn start<'a>(
    context: Context<'a>,
    request: &'a JobRequest,
) -> LocalBoxFuture<'a, Started> {
    async move {
        let options = options::<Evaluate>(request)?;
        let evaluation = Evaluation::new(context.trainer("evaluate")?, context.shown(), options);
        let refused = |error| StartError::Refused(format!("The model was not evaluated: {error}."));
        Ok((Box::new(evaluation.map_err(refused)?) as Box<dyn Job>, None))
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
