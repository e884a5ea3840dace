//! What a session does between commands: samples, steps, traces.

use web_time::{Duration, Instant};

use super::Session;
use super::job::Job;
use crate::protocol::*;
use crate::trace::{self, Logits, TraceError};
use crate::trainer::Trainer;

/// Share of the time that tracing may take while training: 1 / 20.
const TRACE_SHARE: u32 = 20;
/// Traces are not drawn more often than this.
const TRACE_EVERY: Duration = Duration::from_millis(500);
/// A job is not told of more often than this.
pub(super) const TELL_EVERY: Duration = Duration::from_millis(250);

/// Steps and tokens since the last report of speed.
pub(super) struct Pace {
    since: Instant,
    steps: usize,
    tokens: usize,
    steps_per_s: f32,
    tokens_per_s: f32,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), steps: 0, tokens: 0, steps_per_s: 0.0, tokens_per_s: 0.0 }
    }

    fn count(&mut self, tokens: usize) {
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

/// When the prompt was last traced, and how long that took.
pub(super) struct Traced {
    at: Instant,
    took: Duration,
}

impl Traced {
    pub(super) fn new() -> Self {
        Self { at: Instant::now(), took: Duration::ZERO }
    }

    /// As of now, having taken so long.
    pub(super) fn after(took: Duration) -> Self {
        Self { at: Instant::now(), took }
    }

    /// Whether the prompt may be traced again without slowing training.
    pub(super) fn is_due(&self) -> bool {
        self.at.elapsed() > TRACE_EVERY.max(self.took * TRACE_SHARE)
    }
}

impl<E: Fn(Event)> Session<E> {
    /// One piece of what there is to do: a character of a sample, a piece of a job, a step.
    pub(super) async fn work(&mut self) {
        if let (Some(mut sampler), Some(trainer)) = (self.sampler.take(), &self.trainer) {
            match sampler.next(&trainer.task).await {
                Ok(Some(character)) => {
                    (self.emit)(Event::Character(character));
                    self.sampler = Some(sampler);
                }
                Ok(None) => (self.emit)(Event::SampleEnded { text: sampler.text().into() }),
                Err(error) => self.recover(error).await,
            }
        }
        if let Some(mut job) = self.job.take() {
            match job.next().await {
                Ok(more) => {
                    if !more || self.told.is_none_or(|told| told.elapsed() > TELL_EVERY) {
                        (self.emit)(job.standing());
                        self.told = Some(Instant::now());
                    }
                    match job {
                        Job::Distillation(done) if !more => self.take_clone(&done).await,
                        job => self.job = more.then_some(job),
                    }
                }
                Err(error) => {
                    // The run may be on another device than the one that was measured.
                    let is_bench = matches!(job, Job::Bench(_));
                    self.job = Some(job); // to be given up in order
                    if is_bench {
                        self.stop_job();
                        self.notice(format!(
                            "The benchmark ended early: {error}. Choose a smaller size or `cpu`."
                        ));
                    } else {
                        self.recover(error).await;
                    }
                }
            }
        }
        self.look().await;
        if self.running {
            self.train_step().await;
            if self.running && self.traced.is_due() {
                self.trace().await;
            }
            self.sight.follow(self.running);
            if self.saved.is_due() {
                self.save().await;
            }
        }
    }

    pub(super) async fn train_step(&mut self) {
        let Some(trainer) = &mut self.trainer else { return };
        if trainer.finished() {
            return (self.emit)(Event::State(RunState::Finished));
        }
        match trainer.step().await {
            Ok(outcome) => {
                let (finished, loss) = (trainer.finished(), outcome.loss);
                self.pace.count(outcome.tokens);
                let Pace { steps_per_s, tokens_per_s, .. } = self.pace;
                (self.emit)(Event::Step(StepReport { loss, steps_per_s, tokens_per_s }));
                if let Err(error) = self.keep_step().await {
                    return self.recover(error).await;
                }
                if let Err(error) = self.adjust_heads().await {
                    return self.recover(error).await;
                }
                if let Some(fields) = outcome.fields {
                    (self.emit)(Event::Fields { step: loss.step, fields });
                }
                if !loss.train_loss.is_finite() {
                    self.running = false;
                    (self.emit)(Event::State(RunState::Paused));
                    self.notice(format!(
                        "The loss is no longer a number after step {}: training has diverged. \
                         Start again with a lower Learning rate.",
                        loss.step
                    ));
                } else if finished {
                    self.running = false;
                    (self.emit)(Event::State(RunState::Finished));
                    self.tell_memory();
                    self.trace().await;
                    self.save().await;
                }
            }
            Err(error) => self.recover(error).await,
        }
    }

    pub(super) async fn trace(&mut self) {
        let Some(trainer) = &self.trainer else { return };
        if self.inspected.prompt.is_empty() {
            return;
        }
        let start = Instant::now();
        match self.trace_beside(trainer).await {
            Ok((trace, logits)) => {
                (self.emit)(Event::Trace(trace));
                self.logits = Some(logits);
                self.tell_expected();
            }
            Err(TraceError::Device(error)) => return self.recover(error).await,
            Err(error) => {
                self.logits = None;
                self.inspected.prompt.clear(); // said once, not at every trace
                self.notice(format!("The prompt was not traced: {error}."));
            }
        }
        self.traced = Traced::after(start.elapsed());
    }

    /// The trace of the step that is looked at, less the patterns of the one beside it.
    async fn trace_beside(&self, trainer: &Trainer) -> Result<(Trace, Logits), TraceError> {
        let earlier = |of: Option<(usize, &Vec<f32>)>| of.map(|(step, flat)| (step, flat.clone()));
        let prompt = &self.inspected.prompt;
        let (mut trace, logits) =
            trace::trace(trainer, prompt, earlier(self.steps.visited())).await?;
        if let Some(beside) = earlier(self.steps.step_beside()) {
            let (other, _) = trace::trace(trainer, prompt, Some(beside)).await?;
            trace.against = Some(other.step);
            let patterns = trace.patterns.iter_mut().zip(other.patterns);
            patterns.for_each(|(value, other)| *value -= other);
        }
        Ok((trace, logits))
    }

    pub(super) fn tell_expected(&self) {
        if let (Some(logits), Some(trainer)) = (&self.logits, &self.trainer) {
            (self.emit)(Event::Expected(logits.expected(trainer, &self.inspected)));
        }
    }
}
