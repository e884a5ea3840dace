//! The speed of training.

use web_time::Instant;

/// Steps and tokens since the last report of speed.
pub(super) struct Pace {
    since: Instant,
    steps: usize,
    tokens: usize,
    pub(super) steps_per_s: f32,
    pub(super) tokens_per_s: f32,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), steps: 0, tokens: 0, steps_per_s: 0.0, tokens_per_s: 0.0 }
    }

    pub(super) fn count(&mut self, tokens: usize) {
        self.steps += 1;
        self.tokens += tokens;
        let seconds = self.since.elapsed().as_secs_f32();
        if seconds > 0.5 || self.steps_per_s == 0.0 {
            self.steps_per_s = self.steps as f32 / seconds.max(1e-6);
            self.tokens_per_s = self.tokens as f32 / seconds.max(1e-6);
            (self.since, self.steps, self.tokens) = (Instant::now(), 0, 0);
        }
    }
}
