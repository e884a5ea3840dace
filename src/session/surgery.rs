//! Operations on the run's model.

use super::state::Session;
use crate::checkpoint::Checkpoint;
use crate::device::OpenDevice;
use crate::protocol::Event;
use crate::run::{DeviceChoice, Operation};
use crate::surgery;

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn operate(&mut self, operation: Operation) {
        let (Some(trainer), Some(device)) = (&self.trainer, &self.device) else {
            return self.refuse(match self.codec {
                Some(_) => "A noise codec has no layers to change.",
                None => "There is no model to change yet: press Train first.",
            });
        };
        let before = match trainer.checkpoint().await {
            Ok(before) => before,
            Err(error) => {
                self.refuse("The model was not changed: its device failed.");
                return self.recover(error).await;
            }
        };
        let past = |step| self.steps.at(step);
        let after = match surgery::operate(&before, operation, &device.limits, &past) {
            Ok(after) => after,
            Err(error) => return self.refuse(format!("The model was not changed: {error}.")),
        };
        let prompt = match self.inspected.prompt.as_str() {
            "" => &trainer.task.example_prompt(trainer.config.seed),
            prompt => prompt,
        };
        // A prompt that the model cannot read leaves the report without a comparison.
        let ids = trainer.tokenizer.encode(prompt).unwrap_or_default();
        let report = surgery::report(&before, &after, &ids);
        if let Some(is_kept) = self.change_model(before, after, false).await {
            let kept = if is_kept { "" } else { " It is too large to be taken back." };
            self.notice(format!("{operation}. {report}.{kept}"));
        }
    }

    /// Goes on with what was made of the run's model, and keeps what it was `before`: true if there was room
    /// for that; `None`, with an answer, if it cannot be run. `is_remade` says that no command has asked for
    /// it.
    pub(super) async fn change_model(
        &mut self,
        before: Checkpoint,
        after: Checkpoint,
        is_remade: bool,
    ) -> Option<bool> {
        let device = self.device.clone()?;
        let mut undo = std::mem::take(&mut self.undo);
        let is_taken = self.go_on_with(after, device, is_remade).await;
        let is_kept = is_taken.then(|| undo.keep(before));
        self.undo = undo;
        is_kept
    }

    pub(super) async fn undo(&mut self) {
        let mut undo = std::mem::take(&mut self.undo);
        match (undo.before.pop(), self.device.clone()) {
            (Some(state), Some(device)) => drop(self.go_on_with(state, device, false).await),
            _ => self.refuse("There is no operation to take back."),
        }
        self.undo = undo;
    }

    /// Goes on with the run to a last step, on a device; `false`, with an answer, if it cannot.
    pub(super) async fn go_on(&mut self, steps: usize, choice: DeviceChoice) -> bool {
        if let Some(run) = self.codec.take() {
            self.go_on_with_codec(run, steps).await;
            return true;
        }
        let Some(trainer) = &self.trainer else {
            self.refuse("There is no run to go on with yet: press Train first.");
            return false;
        };
        let mut state = match trainer.checkpoint().await {
            Ok(state) => state,
            Err(error) => {
                self.recover(error).await;
                return false;
            }
        };
        (state.config.train.steps, state.config.train.stop_at) = (steps, 0.0);
        let Some(device) = self.open(choice).await else { return false };
        let undo = std::mem::take(&mut self.undo);
        let is_taken = self.go_on_with(state, device, false).await;
        self.undo = undo;
        is_taken
    }

    /// Puts another state in the place of the run's; `false`, with an answer, if it cannot be run.
    async fn go_on_with(&mut self, state: Checkpoint, device: OpenDevice, is_remade: bool) -> bool {
        let Some(trainer) = &self.trainer else { return false };
        let (is_running, step) = (self.running, state.step);
        let is_same_model = trainer.config.model == state.config.model;
        let kept = self.steps.take();
        // What is kept of a run before its model was changed is a run of its own.
        let run = if is_same_model { self.run.clone() } else { self.store.new_run() };
        match self.adopt(state, device, is_remade, run).await {
            Ok(()) => {
                if is_same_model {
                    self.steps.go_back(kept, step);
                    self.report_kept();
                }
                self.saved.forget();
                self.save().await;
                self.report_fields().await;
                if is_running {
                    self.start();
                }
                true
            }
            Err(error) => {
                self.steps.go_back(kept, usize::MAX);
                let reason = format!("The model was not changed: {error}.");
                if is_remade {
                    self.notice(reason)
                } else {
                    self.refuse(reason)
                }
                false
            }
        }
    }
}
