//! Limits on work beside training: tracing, analyses and reports.

use web_time::{Duration, Instant};

/// Share of the time that such work may take while training: 1 / 20.
const SHARE: u32 = 20;
/// Shortest time between two pieces of such work.
const EVERY: Duration = Duration::from_millis(500);
/// Shortest time between two reports of a job.
pub(super) const REPORT_EVERY: Duration = Duration::from_millis(250);

/// The time of the last piece of work, and how long it took.
pub(super) struct Throttle {
    at: Instant,
    took: Duration,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self { at: Instant::now(), took: Duration::ZERO }
    }

    /// Work that was done just now and took so long.
    pub(super) fn after(took: Duration) -> Self {
        Self { at: Instant::now(), took }
    }

    /// True if the work may be done again without slowing training.
    pub(super) fn is_due(&self) -> bool {
        self.at.elapsed() > EVERY.max(self.took * SHARE)
    }
}
