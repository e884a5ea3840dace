//! The registry of jobs.

use super::job::{Context, Start, StartError, Started};
use super::{average, bench, distill, evaluate, probe, sweep};
use crate::protocol::{
    AverageAttention, Bench, Distill, Evaluate, JobKind, JobRequest, Probe, Sweep,
};

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
pub(in crate::session) async fn start(context: Context<'_>, request: &JobRequest) -> Started {
    let known = JOBS.iter().find(|(name, _)| *name == request.name);
    let Some((_, start)) = known else {
        let names: Vec<&str> = JOBS.iter().map(|(name, _)| *name).collect();
        let (asked, names) = (&request.name, names.join(", "));
        let refused = format!("There is no job `{asked}`; the session has {names}.");
        return Err(StartError::Refused(refused));
    };
    start(context, request).await
}
