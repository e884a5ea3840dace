//! Speed of training and writing.

use burn::tensor::ExecutionError;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::job::{Context, Job, StartError, Started, options};
use crate::bench::Suite;
use crate::device;
use crate::protocol::{Bench, JobReport, JobRequest, RunsOptions};
use crate::report::BenchReport;

/// Steps whose median a benchmark takes.
const ROUNDS: usize = 7;

pub(super) fn start<'a>(
    context: Context<'a>,
    request: &'a JobRequest,
) -> LocalBoxFuture<'a, Started> {
    async move {
        let RunsOptions { runs, device: choice } = options::<Bench>(request)?;
        let refused = |reason| StartError::Refused(format!("The benchmark was not begun: {reason}"));
        let (device, notice) = device::choose(context.device, choice).await.map_err(refused)?;
        let suite = Suite::new(runs, device, ROUNDS, context.crew.clone());
        let suite = suite.map_err(|error| refused(format!("{error}.")).after(&notice))?;
        Ok((Box::new(suite) as Box<dyn Job>, notice))
    }
    .boxed_local()
}

impl Job for Suite {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<bool, ExecutionError>> {
        Suite::next(self).boxed_local()
    }

    fn report(&self) -> Result<JobReport, postcard::Error> {
        JobReport::new::<Bench>(&self.progress())
    }

    fn stop(&self) -> Option<Result<JobReport, postcard::Error>> {
        Some(JobReport::new::<Bench>(&BenchReport::new(self.progress().rows, None)))
    }

    fn failure(&self, error: &ExecutionError) -> Option<String> {
        Some(format!("The benchmark ended early: {error}. Choose a smaller size or `cpu`."))
    }
}
