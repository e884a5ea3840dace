//! Work that takes many pieces and reports its progress.

use burn::tensor::ExecutionError;

use crate::bench::Suite;
use crate::eval::{Evaluation, Probing, Sweep};
use crate::interp::analysis::Averaging;
use crate::learn::distill::Distillation;
use crate::protocol::Event;

/// A job under way. A session has one at a time, the newest.
pub(super) enum Job {
    Evaluation(Box<Evaluation>),
    Probing(Box<Probing>),
    Averaging(Box<Averaging>),
    Sweep(Box<Sweep>),
    Bench(Box<Suite>),
    Distillation(Box<Distillation>),
}

impl Job {
    /// Does one more piece; `false` if all are done.
    pub(super) async fn next(&mut self) -> Result<bool, ExecutionError> {
        match self {
            Job::Evaluation(job) => job.next().await,
            Job::Probing(job) => job.next().await,
            Job::Averaging(job) => job.next().await,
            Job::Sweep(job) => job.next().await,
            Job::Bench(job) => job.next().await,
            Job::Distillation(job) => job.next().await,
        }
    }

    /// The progress so far.
    pub(super) fn progress(&self) -> Event {
        match self {
            Job::Evaluation(job) => Event::Evaluated(Box::new(job.progress())),
            Job::Probing(job) => Event::Probed(job.report().clone()),
            Job::Averaging(job) => Event::AttentionByType(Box::new(job.report().clone())),
            Job::Sweep(job) => Event::Sweeping(Box::new(job.progress())),
            Job::Bench(job) => Event::Benched(job.progress()),
            Job::Distillation(job) => Event::Distilled(Box::new(job.progress().clone())),
        }
    }
}
