//! Runs trained in sequence, each for its recall.

use burn::tensor::ExecutionError;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::job::{Context, Job, StartError, Started, options};
use crate::device::{self, OpenDevice};
use crate::eval::Sweep;
use crate::protocol::{self, JobReport, JobRequest, RunsOptions};
use crate::report::sweep::Sweeping;

pub(super) fn start<'a>(
    context: Context<'a>,
    request: &'a JobRequest,
) -> LocalBoxFuture<'a, Started> {
    async move {
        let RunsOptions { runs, device: choice } = options::<protocol::Sweep>(request)?;
        let refused = |reason| StartError::Refused(format!("The sweep was not begun: {reason}."));
        let (device, notice) = device::choose(context.device, choice).await.map_err(refused)?;
        let OpenDevice { device, limits, .. } = device;
        let sweep = Sweep::new(runs, device, limits, context.crew.clone())
            .map_err(|error| refused(error.to_string()).after(&notice))?;
        Ok((Box::new(sweep) as Box<dyn Job>, notice))
    }
    .boxed_local()
}

impl Job for Sweep {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<bool, ExecutionError>> {
        Sweep::next(self).boxed_local()
    }

    fn report(&self) -> Result<JobReport, postcard::Error> {
        JobReport::new::<protocol::Sweep>(&self.progress())
    }

    fn stop(&self) -> Option<Result<JobReport, postcard::Error>> {
        let done = self.progress().done;
        Some(JobReport::new::<protocol::Sweep>(&Sweeping { done, ..Sweeping::default() }))
    }
}
