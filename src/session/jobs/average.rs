//! Attention averaged over records.

use burn::tensor::ExecutionError;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::job::{Context, Job, StartError, Started, options};
use crate::interp::analysis::Averaging;
use crate::protocol::{AverageAttention, JobReport, JobRequest};
use crate::report::MAX_RECORDS;

pub(super) fn start<'a>(
    context: Context<'a>,
    request: &'a JobRequest,
) -> LocalBoxFuture<'a, Started> {
    async move {
        let records = options::<AverageAttention>(request)?;
        let trainer = context.trainer("look into")?;
        if trainer.task.is_none() {
            return Err(StartError::Refused(
                "Attention was not averaged: this model is from elsewhere and brought no records."
                    .into(),
            ));
        }
        let averaging = Averaging::new(trainer, context.shown(), records.clamp(1, MAX_RECORDS));
        Ok((Box::new(averaging) as Box<dyn Job>, None))
    }
    .boxed_local()
}

impl Job for Averaging {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<bool, ExecutionError>> {
        Averaging::next(self).boxed_local()
    }

    fn report(&self) -> Result<JobReport, postcard::Error> {
        JobReport::new::<AverageAttention>(Averaging::report(self))
    }

    fn is_of_shown(&self) -> bool {
        true
    }
}
