//! Samples after a prompt.

use burn::tensor::ExecutionError;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::job::{Context, Job, StartError, Started, options};
use crate::eval::Probing;
use crate::protocol::{JobReport, JobRequest, Probe, ProbeOptions};

pub(super) fn start<'a>(
    context: Context<'a>,
    request: &'a JobRequest,
) -> LocalBoxFuture<'a, Started> {
    async move {
        let ProbeOptions { prompt, options } = options::<Probe>(request)?;
        let probing = Probing::new(context.trainer("sample from")?, context.shown(), prompt, options);
        let refused = |error| StartError::Refused(format!("The samples were not drawn: {error}."));
        Ok((Box::new(probing.map_err(refused)?) as Box<dyn Job>, None))
    }
    .boxed_local()
}

impl Job for Probing {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<bool, ExecutionError>> {
        Probing::next(self).boxed_local()
    }

    fn report(&self) -> Result<JobReport, postcard::Error> {
        JobReport::new::<Probe>(Probing::report(self))
    }

    fn is_of_shown(&self) -> bool {
        true
    }
}
