//! The trait of jobs, and what they start from.

use std::rc::Rc;

use burn::tensor::ExecutionError;
use futures::future::LocalBoxFuture;

use crate::codec::CodecRun;
use crate::device::OpenDevice;
use crate::generate::Shown;
use crate::learn::{Crew, Trainer};
use crate::protocol::{JobKind, JobReport, JobRequest};

/// A job under way.
pub(in crate::session) trait Job {
    /// Does one more piece; `false` if all are done.
    fn next(&mut self) -> LocalBoxFuture<'_, Result<bool, ExecutionError>>;

    /// The progress so far.
    fn report(&self) -> Result<JobReport, postcard::Error>;

    /// The last report, if the results of a stopped job are kept.
    fn stop(&self) -> Option<Result<JobReport, postcard::Error>> {
        None
    }

    /// True if it is of the model that is shown, with which it ends.
    fn is_of_shown(&self) -> bool {
        false
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
pub(in crate::session) enum StartError {
    /// A notice for the user.
    Refused(String),
    Device(ExecutionError),
}

impl StartError {
    /// The refusal after a notice about the device.
    pub(super) fn after(self, notice: &Option<String>) -> Self {
        match (self, notice) {
            (Self::Refused(reason), Some(notice)) => Self::Refused(format!("{notice} {reason}")),
            (error, _) => error,
        }
    }
}

/// The state of the session that a job starts from.
#[derive(Clone, Copy)]
pub(in crate::session) struct Context<'a> {
    pub(in crate::session) trainer: Option<&'a Trainer>,
    /// The run, if it is one of the noise codec.
    pub(in crate::session) codec: Option<&'a CodecRun>,
    pub(in crate::session) device: Option<&'a OpenDevice>,
    /// The model that is shown in place of the run's newest.
    pub(in crate::session) shown: Option<&'a Shown>,
    pub(in crate::session) crew: &'a Rc<dyn Crew>,
}

impl<'a> Context<'a> {
    pub(super) fn shown(&self) -> Option<Shown> {
        self.shown.cloned()
    }

    /// The session's run; without one, a notice that there is none to do `what` with.
    pub(super) fn trainer(&self, what: &str) -> Result<&'a Trainer, StartError> {
        let refused = || match self.codec {
            Some(_) => format!("Only a transformer can be had to {what}, and this is a noise codec."),
            None => format!("There is no model to {what} yet: press Train first."),
        };
        self.trainer.ok_or_else(|| StartError::Refused(refused()))
    }
}

/// A started job, and a notice about it.
pub(super) type Started = Result<(Box<dyn Job>, Option<String>), StartError>;
pub(super) type Start = for<'a> fn(Context<'a>, &'a JobRequest) -> LocalBoxFuture<'a, Started>;

/// The options of a request.
pub(super) fn options<J: JobKind>(request: &JobRequest) -> Result<J::Options, StartError> {
    let damaged =
        |error| format!("The options of the job `{}` cannot be read: {error}.", request.name);
    request.options::<J>().map_err(|error| StartError::Refused(damaged(error)))
}
