//! The analysis that a user requests.

use std::sync::Arc;

use web_time::{Duration, Instant};

use super::throttle::Throttle;
use crate::interp::lab::{AnalysisJob, Snapshot};
use crate::run::AnalysisRequest;

/// The analysis that a user requests, and the job under way.
pub(super) struct AnalysisView {
    pub(super) request: Option<AnalysisRequest>,
    /// True if the model or the request have changed since the last analysis.
    pub(super) is_due: bool,
    /// The weights last read.
    pub(super) model: Option<Arc<Snapshot>>,
    pub(super) job: Option<AnalysisJob>,
    /// Time that the analysis under way has taken so far.
    pub(super) spent: Duration,
    pub(super) last_report: Instant,
    pub(super) throttle: Throttle,
}

impl AnalysisView {
    pub(super) fn new() -> Self {
        Self {
            request: None,
            is_due: false,
            model: None,
            job: None,
            spent: Duration::ZERO,
            last_report: Instant::now(),
            throttle: Throttle::new(),
        }
    }

    /// Runs this analysis from now on, or none.
    pub(super) fn turn_to(&mut self, request: Option<AnalysisRequest>) {
        self.is_due = request.is_some();
        self.request = request;
        self.job = None;
    }

    /// Forgets the model, in whose place is another one.
    pub(super) fn forget_model(&mut self) {
        self.model = None;
        self.job = None;
        self.is_due = self.request.is_some();
    }

    /// Runs it again on a model that has trained on: now, or if `is_running` when that is not too often.
    pub(super) fn follow(&mut self, is_running: bool) {
        let may_begin = !is_running || self.job.is_none() && self.throttle.is_due();
        if self.request.is_some() && may_begin {
            self.is_due = true;
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.is_due && self.job.is_none()
    }
}
