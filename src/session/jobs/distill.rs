//! Distillation of the model into a clone with memories.

use burn::tensor::ExecutionError;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::job::{Context, Job, StartError, Started, options};
use crate::device::OpenDevice;
use crate::learn::Trainer;
use crate::learn::distill::{DistillError, Distillation};
use crate::protocol::{Distill, DistillOptions, JobReport, JobRequest};

pub(super) fn start<'a>(
    context: Context<'a>,
    request: &'a JobRequest,
) -> LocalBoxFuture<'a, Started> {
    async move {
        let DistillOptions { config, text, prompt } = options::<Distill>(request)?;
        let trainer = context.trainer("distil")?;
        let Some(OpenDevice { device, limits, .. }) = context.device else {
            return Err(StartError::Refused("There is no device to distil on.".into()));
        };
        let teacher = trainer.checkpoint().await.map_err(StartError::Device)?;
        let (text, device) = (text.as_deref(), device.clone());
        match Distillation::new(teacher, &config, text, prompt, device, limits).await {
            Ok(distillation) => Ok((Box::new(distillation) as Box<dyn Job>, None)),
            Err(DistillError::Device(error)) => Err(StartError::Device(error)),
            Err(error) => {
                let refused = format!("The distillation was not begun: {error}.");
                Err(StartError::Refused(refused))
            }
        }
    }
    .boxed_local()
}

impl Job for Distillation {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<bool, ExecutionError>> {
        Distillation::next(self).boxed_local()
    }

    fn report(&self) -> Result<JobReport, postcard::Error> {
        JobReport::new::<Distill>(self.progress())
    }

    fn successor(&self) -> Option<&Trainer> {
        Some(self.trainer())
    }
}
