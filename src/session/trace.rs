//! Traces of the prompt that is inspected.

use web_time::Instant;

use super::state::Session;
use super::throttle::Throttle;
use crate::host::HostModel;
use crate::interp::answer;
use crate::interp::trace::{Logits, Traced};
use crate::learn::Trainer;
use crate::protocol::{Event, Trace};
use crate::tokenizer::TokenizeError;

impl<E: Fn(Event)> Session<E> {
    /// Traces the prompt and asks the questions of the model that is shown.
    pub(super) async fn trace(&mut self) {
        if self.codec.is_some() {
            return self.trace_codec();
        }
        let Some(trainer) = &self.trainer else { return };
        if self.inspected.prompt.is_empty() && self.questions.is_empty() {
            return;
        }
        let start = Instant::now();
        let (step, host) = match self.shown_on_host(trainer).await {
            Ok(shown) => shown,
            Err(error) => return self.recover(error).await,
        };
        self.ask(trainer, &host, step);
        if !self.inspected.prompt.is_empty() {
            match self.trace_with_baseline(trainer, &host, step) {
                Ok((trace, logits)) => {
                    (self.emit)(Event::Trace(trace));
                    self.logits = Some(logits);
                    self.report_expected();
                }
                Err(error) => {
                    self.logits = None;
                    self.inspected.prompt.clear(); // said once, not at every trace
                    (self.emit)(Event::Untraced);
                    self.notice_sentence(&error);
                }
            }
        }
        self.trace_throttle = Throttle::after(start.elapsed());
    }

    fn ask(&self, trainer: &Trainer, host: &HostModel, step: usize) {
        let (model, tokenizer) = (&trainer.config.model, &trainer.tokenizer);
        for number in &self.questions {
            let question = trainer.task.question(trainer.config.seed, *number);
            let answer =
                question.and_then(|question| answer(host, model, tokenizer, &question, step));
            if let Some(answer) = answer {
                (self.emit)(Event::Answered { number: *number, answer: Box::new(answer) });
            }
        }
    }

    /// The trace of a model, less the baseline's patterns, and the predictions of both.
    fn trace_with_baseline(
        &self,
        trainer: &Trainer,
        host: &HostModel,
        step: usize,
    ) -> Result<(Trace, Logits), TokenizeError> {
        let (prompt, Trainer { tokenizer, task, .. }) = (&self.inspected.prompt, trainer);
        let model = &trainer.config.model;
        let ids = tokenizer.encode(prompt)?;
        let (mut trace, mut logits) = Traced { model, tokenizer, task, step }.record(host, ids);
        let baseline = self.steps.baseline().filter(|(_, other)| other.is_like(model, tokenizer));
        if let Some((name, other)) = baseline {
            let (other, of_other) = other.trace(prompt, task)?;
            let patterns = trace.patterns.iter_mut().zip(other.patterns);
            patterns.for_each(|(value, other)| *value -= other);
            trace.against = Some(name);
            logits = logits.compared_with(of_other);
        }
        Ok((trace, logits))
    }

    pub(super) fn report_expected(&self) {
        if let (Some(logits), Some(trainer)) = (&self.logits, &self.trainer) {
            (self.emit)(Event::Expected(logits.expected(trainer, &self.inspected)));
        }
    }
}
