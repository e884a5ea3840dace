//! The last saved state of a run, and when it is due to be saved again.

use web_time::{Duration, Instant};

/// Longest that a run goes without being saved, at first and later.
const FIRST_SAVE: Duration = Duration::from_secs(1);
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// Share of the time that saving may take while training: 1 / 20.
const SAVE_SHARE: u32 = 20;

/// The last saved state of the run: the one to go back to if the device is lost or training diverges.
pub(super) struct Saved {
    pub(super) at: Instant,
    pub(super) took: Duration,
    /// The last good state, in memory.
    pub(super) bytes: Option<Vec<u8>>,
    /// When that state was read, and how long this took.
    pub(super) remembered: (Instant, Duration),
    /// `None` if something else than a step has happened since.
    pub(super) step: Option<usize>,
    /// True if the run was not saved yet.
    pub(super) is_new: bool,
    /// True if the run was stepped too soon after it was saved, and waits for the next time.
    pub(super) waits: bool,
}

impl Saved {
    /// A run whose `step` needs no saving.
    pub(super) fn at(step: usize) -> Self {
        let now = Instant::now();
        let took = Duration::ZERO;
        Self {
            at: now,
            took,
            bytes: None,
            remembered: (now, took),
            step: Some(step),
            is_new: true,
            waits: false,
        }
    }

    /// Notes that the run is no longer as it was saved.
    pub(super) fn forget(&mut self) {
        self.step = None;
    }

    /// True if the last good state may be read again: that takes its share of the time at most.
    pub(super) fn may_remember(&self) -> bool {
        let (at, took) = self.remembered;
        at.elapsed() > took * SAVE_SHARE
    }

    /// True if the run is to be saved again while it trains.
    pub(super) fn is_due(&self) -> bool {
        let every = if self.is_new { FIRST_SAVE } else { SAVE_EVERY };
        self.may_save() && self.at.elapsed() > every
    }

    /// True if the run may be saved after a single step, which may be the last for long: that takes its share of the time
    /// at most.
    pub(super) fn may_save(&self) -> bool {
        self.rest().is_zero()
    }

    /// Time until the run may be saved after a single step.
    pub(super) fn rest(&self) -> Duration {
        (self.took * SAVE_SHARE).saturating_sub(self.at.elapsed())
    }
}
