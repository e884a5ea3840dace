//! Traces of the prompt that is inspected.

use web_time::Instant;

use super::state::Session;
use super::throttle::Throttle;
use crate::interp::trace;
use crate::interp::trace::{Logits, TraceError};
use crate::learn::Trainer;
use crate::protocol::{Event, Trace};

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn trace(&mut self) {
        let Some(trainer) = &self.trainer else { return };
        if self.inspected.prompt.is_empty() {
            return;
        }
        let start = Instant::now();
        match self.trace_with_baseline(trainer).await {
            Ok((trace, logits)) => {
                (self.emit)(Event::Trace(trace));
                self.logits = Some(logits);
                self.report_expected();
            }
            Err(TraceError::Device(error)) => return self.recover(error).await,
            Err(error) => {
                self.logits = None;
                self.inspected.prompt.clear(); // said once, not at every trace
                self.notice_sentence(&error);
            }
        }
        self.trace_throttle = Throttle::after(start.elapsed());
    }

    /// The trace of the shown step, less the baseline's patterns.
    pub(super) async fn trace_with_baseline(
        &self,
        trainer: &Trainer,
    ) -> Result<(Trace, Logits), TraceError> {
        let earlier = |of: Option<(usize, &Vec<f32>)>| of.map(|(step, flat)| (step, flat.clone()));
        let prompt = &self.inspected.prompt;
        let (mut trace, logits) =
            trace::trace(trainer, prompt, earlier(self.steps.visited())).await?;
        if let Some(baseline) = earlier(self.steps.baseline_step()) {
            let (other, _) = trace::trace(trainer, prompt, Some(baseline)).await?;
            trace.against = Some(other.step);
            let patterns = trace.patterns.iter_mut().zip(other.patterns);
            patterns.for_each(|(value, other)| *value -= other);
        }
        Ok((trace, logits))
    }

    pub(super) fn report_expected(&self) {
        if let (Some(logits), Some(trainer)) = (&self.logits, &self.trainer) {
            (self.emit)(Event::Expected(logits.expected(trainer, &self.inspected)));
        }
    }
}
