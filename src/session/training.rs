//! Training: started, paused, and done step by step.

use web_time::Duration;

use super::pace::Pace;
use super::state::Session;
use crate::checkpoint::Checkpoint;
use crate::codec::CodecRun;
use crate::kernel::is_cpu;
use crate::learn::{StepOutcome, Trainer};
use crate::protocol::{Event, RunState, StepReport};

/// Longest that steps take whose losses are read together, and most of them.
const AHEAD: Duration = Duration::from_millis(40);
const MAX_AHEAD: usize = 16;

impl<E: Fn(Event)> Session<E> {
    pub(super) fn start(&mut self) {
        if self.trainer.as_ref().is_some_and(|trainer| trainer.task.is_none()) {
            self.notice(
                "This model is from elsewhere and brought nothing to train on. Set Task and press Train from these \
                 weights (at the terminal: --from and --task), look into it, or let it write.",
            );
        }
        let state = match self.is_finished() {
            None => RunState::Paused, // its making was refused, which has been said
            Some(true) => RunState::Finished,
            Some(false) => RunState::Running,
        };
        self.running = state == RunState::Running;
        self.pace = Pace::new();
        (self.emit)(Event::State(state));
    }

    pub(super) async fn pause(&mut self) {
        if self.running {
            self.running = false;
            (self.emit)(Event::State(RunState::Paused));
            self.report_memory();
            self.trace().await;
            self.analysis.follow(false);
            self.save().await;
        }
    }

    pub(super) async fn step_once(&mut self) {
        self.running = false;
        self.train_steps(1).await;
        self.trace().await;
        self.analysis.follow(false);
        self.saved.waits = !self.saved.may_save();
        if !self.saved.waits {
            self.save().await;
        }
        if self.is_finished() == Some(false) {
            (self.emit)(Event::State(RunState::Paused));
        }
    }

    /// True if all steps of the run are done; `None` without a run.
    fn is_finished(&self) -> Option<bool> {
        let of_codec = self.codec.as_ref().map(CodecRun::is_finished);
        self.trainer.as_ref().map(Trainer::finished).or(of_codec)
    }

    /// Trains `most` steps, or fewer, and reports them.
    pub(super) async fn train_steps(&mut self, most: usize) {
        if self.codec.is_some() {
            return self.learn_codec().await;
        }
        let Some(trainer) = &mut self.trainer else { return };
        if trainer.finished() {
            return (self.emit)(Event::State(RunState::Finished));
        }
        let outcomes = match trainer.steps(most).await {
            Ok(outcomes) => outcomes,
            Err(error) => return self.recover(error).await,
        };
        let (finished, workers) = (trainer.finished(), trainer.workers());
        let mut fields = None;
        for outcome in outcomes {
            let StepOutcome { loss, bits_per_byte, tokens, .. } = outcome;
            self.pace.count(tokens);
            let Pace { steps_per_s, tokens_per_s, .. } = self.pace;
            (self.emit)(Event::Step(StepReport {
                loss,
                bits_per_byte,
                steps_per_s,
                tokens_per_s,
                workers,
            }));
            if !loss.train_loss.is_finite() {
                return self.go_back(loss.step).await;
            }
            fields = outcome.fields.map(|fields| (loss.step, fields));
        }
        if let Err(error) = self.keep_step().await {
            return self.recover(error).await;
        }
        if fields.is_some() && self.saved.may_remember() {
            self.remember().await;
        }
        if let Err(error) = self.adjust_heads().await {
            return self.recover(error).await;
        }
        if let Some((step, fields)) = fields {
            (self.emit)(Event::Fields { step, fields });
        }
        if finished {
            self.running = false;
            (self.emit)(Event::State(RunState::Finished));
            self.report_memory();
            self.trace().await;
            self.save().await;
        }
    }

    /// Steps to train before the losses are read: on a GPU several short ones, up to the next after which something is
    /// looked at.
    pub(super) fn ahead(&self) -> usize {
        let Some(trainer) = self.trainer.as_ref().filter(|of| !is_cpu(&of.device())) else { return 1 };
        let until = |every: usize| every - trainer.step % every;
        let heads = trainer.config.train.heads.every;
        let heads = if heads == 0 { MAX_AHEAD } else { until(heads) };
        let in_time = (self.pace.steps_per_s * AHEAD.as_secs_f32()) as usize;
        in_time.min(heads).min(until(self.steps.every())).clamp(1, MAX_AHEAD)
    }

    /// Puts the last good state in the place of a run that is no longer finite after `step`.
    async fn go_back(&mut self, step: usize) {
        self.running = false;
        let good = self.saved.bytes.take().map(|bytes| (Checkpoint::from_bytes(&bytes), bytes));
        let kept = match &good {
            Some((Ok(checkpoint), bytes)) => match self.store.save(&self.run, checkpoint.step, bytes).await {
                Ok(kept) => {
                    let saved = if kept.is_some() { ", which is saved" } else { "" };
                    format!("The run is back at step {}, the last good one{saved}.", checkpoint.step)
                }
                Err(error) => format!("The last good step was not saved: {error}."),
            },
            Some((Err(error), _)) => format!("The last good step cannot be read: {error}."),
            None => "No good step was kept.".into(),
        };
        self.refuse(format!(
            "Training diverged: after step {step} the loss, a weight or a moment of the optimizer is no longer a finite \
             number. {kept} Lower Learning rate (--lr at the terminal)."
        ));
        (self.emit)(Event::State(RunState::Paused));
        let Some((Ok(checkpoint), _)) = good else { return };
        let Some(device) = self.device.clone() else { return };
        self.trainer = None; // not an earlier run to compare with
        if let Err(error) = self.adopt(checkpoint, device, true, self.run.clone()).await {
            self.notice(format!("The last good step was not loaded: {error}."));
        }
    }
}
