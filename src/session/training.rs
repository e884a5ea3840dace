//! Training: started, paused, and done step by step.

use super::pace::Pace;
use super::state::Session;
use crate::protocol::{Event, RunState, StepReport};

impl<E: Fn(Event)> Session<E> {
    pub(super) fn start(&mut self) {
        if self.trainer.as_ref().is_some_and(|trainer| trainer.task.is_none()) {
            self.notice(
                "This model is from elsewhere and brought nothing to train on. Look into it, or \
                 let it write.",
            );
        }
        let state = match &self.trainer {
            None => RunState::Paused, // its making was refused, which has been said
            Some(trainer) if trainer.finished() => RunState::Finished,
            Some(_) => RunState::Running,
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
        self.train_step().await;
        self.trace().await;
        self.analysis.follow(false);
        if self.trainer.as_ref().is_some_and(|trainer| !trainer.finished()) {
            (self.emit)(Event::State(RunState::Paused));
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
                    self.report_memory();
                    self.trace().await;
                    self.save().await;
                }
            }
            Err(error) => self.recover(error).await,
        }
    }
}
