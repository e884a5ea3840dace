//! Work that takes many pieces and tells how it stands: one at a time, the newest.

use burn::tensor::ExecutionError;

use crate::analysis::Averaging;
use crate::eval::{Evaluation, Probing};
use crate::protocol::Event;

pub(super) enum Job {
    Evaluation(Box<Evaluation>),
    Probing(Box<Probing>),
    Averaging(Box<Averaging>),
}

impl Job {
    /// Does one more piece; `false` if all are done.
    pub(super) async fn next(&mut self) -> Result<bool, ExecutionError> {
        match self {
            Job::Evaluation(job) => job.next().await,
            Job::Probing(job) => job.next().await,
            Job::Averaging(job) => job.next().await,
        }
    }

    /// How it stands.
    pub(super) fn standing(&self) -> Event {
        match self {
            Job::Evaluation(job) => Event::Evaluated(Box::new(job.standing())),
            Job::Probing(job) => Event::Probed(job.report().clone()),
            Job::Averaging(job) => Event::AttentionByType(job.report().clone()),
        }
    }
}
