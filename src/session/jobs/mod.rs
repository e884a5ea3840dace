//! Jobs: work of many pieces that reports its progress. A session has one at a time, the newest.
//!
//! A job is a file here, a kind in the protocol, and a line in [`JOBS`].

mod average;
mod bench;
mod distill;
mod evaluate;
mod probe;
mod sweep;

use burn::tensor::ExecutionError;
use futures::future::LocalBoxFuture;

use crate::device::OpenDevice;
use crate::learn::Trainer;
use crate::protocol::{
    AverageAttention, Bench, Distill, Evaluate, JobKind, JobReport, JobRequest, Probe, Sweep,
};

/// A job under way.
pub(super) trait Job {
    /// Does one more piece; `false` if all are done.
    fn next(&mut self) -> LocalBoxFuture<'_, Result<bool, ExecutionError>>;

    /// The progress so far.
    fn report(&self) -> Result<JobReport, postcard::Error>;

    /// The last report, if the results of a stopped job are kept.
    fn stop(&self) -> Option<Result<JobReport, postcard::Error>> {
        None
    }

    /// The run that takes the place of the session's when all pieces are done.
    fn successor(&self) -> Option<&Trainer> {
        None
    }

    /// The notice of a failed device, of a job with a device of its own. The session's run goes on without it.
    fn failure(&self, _: &ExecutionError) -> Option<String> {
        None
    }
}

/// The reason that a job did not start.
pub(super) enum StartError {
    /// A notice for the user.
    Refused(String),
    Device(ExecutionError),
}

/// The state of the session that a job starts from.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) trainer: Option<&'a Trainer>,
    pub(super) device: Option<&'a OpenDevice>,
}

impl<'a> Context<'a> {
    /// The session's run; without one, a notice that there is none to do `what` with.
    fn trainer(&self, what: &str) -> Result<&'a Trainer, StartError> {
        let refused = || format!("There is no model to {what} yet: press Train first.");
        self.trainer.ok_or_else(|| StartError::Refused(refused()))
    }
}

/// A started job, and a notice about it.
type Started = Result<(Box<dyn Job>, Option<String>), StartError>;
type Start = for<'a> fn(Context<'a>, &'a JobRequest) -> LocalBoxFuture<'a, Started>;

/// All jobs, by the name of their kind.
static JOBS: &[(&str, Start)] = &[
    (Evaluate::NAME, evaluate::start),
    (Probe::NAME, probe::start),
    (AverageAttention::NAME, average::start),
    (Sweep::NAME, sweep::start),
    (Bench::NAME, bench::start),
    (Distill::NAME, distill::start),
];

/// Starts the job of a request.
///
/// # Errors
/// If there is no such job, its options are damaged, or the session's run does not serve it.
pub(super) async fn start(context: Context<'_>, request: &JobRequest) -> Started {
    let known = JOBS.iter().find(|(name, _)| *name == request.name);
    let Some((_, start)) = known else {
        let names: Vec<&str> = JOBS.iter().map(|(name, _)| *name).collect();
        let (asked, names) = (&request.name, names.join(", "));
        let refused = format!("There is no job `{asked}`; the session has {names}.");
        return Err(StartError::Refused(refused));
    };
    start(context, request).await
}

/// The options of a request.
fn options<J: JobKind>(request: &JobRequest) -> Result<J::Options, StartError> {
    let damaged =
        |error| format!("The options of the job `{}` cannot be read: {error}.", request.name);
    request.options::<J>().map_err(|error| StartError::Refused(damaged(error)))
}
