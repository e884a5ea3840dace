//! Begins runs: built, continued, or loaded from files.

use super::pace::Pace;
use super::saved::Saved;
use super::state::Session;
use super::undo::Undo;
use crate::checkpoint::{Checkpoint, CheckpointError, run_id};
use crate::config::RunConfig;
use crate::device::OpenDevice;
use crate::import::{self, File};
use crate::learn::Trainer;
use crate::protocol::{Built, Event, NamedFile, RunState};
use crate::run::{DeviceChoice, FieldLoss};
use crate::task::Split;

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn offer_resume(&mut self) {
        let saved = match self.store.latest().await {
            Ok(None) => return,
            Ok(Some(bytes)) => Checkpoint::from_bytes(&bytes).map_err(|error| error.to_string()),
            Err(reason) => Err(reason),
        };
        match saved {
            Ok(Checkpoint { config, step, .. }) if step > 0 => {
                (self.emit)(Event::Resumable { config: Box::new(config), step });
            }
            Ok(_) => {}
            Err(reason) => self.notice(format!("The saved run cannot be read: {reason}.")),
        }
    }

    /// Makes a new run; `false` if it was refused, which has been said.
    pub(super) async fn build(&mut self, config: RunConfig, choice: DeviceChoice) -> bool {
        self.save().await;
        let Some(device) = self.open(choice).await else { return false };
        match Trainer::new(config, device.device.clone(), &device.limits) {
            Ok(trainer) => {
                self.keep_run().await;
                self.take(trainer, device, false);
                // Weights that were just drawn can be read.
                let _ = self.keep_step().await;
                self.remember().await;
                true
            }
            Err(error) => {
                self.refuse(format!("This cannot be run: {error}."));
                false
            }
        }
    }

    /// Begins a new run from where this one is; `false` if it was refused, which has been said.
    pub(super) async fn continue_with(&mut self, config: RunConfig) -> bool {
        let Some(trainer) = &self.trainer else {
            self.refuse("There is no model to go on from yet: press Train first.");
            return false;
        };
        let Some(device) = self.device.clone() else { return false };
        let checkpoint = match trainer.checkpoint().await {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.recover(error).await;
                return false;
            }
        };
        self.save().await;
        let begun = match checkpoint.restart(config) {
            Ok(restarted) => self.adopt(restarted, device, false).await,
            Err(error) => Err(error),
        };
        match begun {
            Ok(()) => {
                let _ = self.keep_step().await; // a device that fails shows it at the next step too
                true
            }
            Err(error) => {
                self.refuse(format!("The run cannot go on with this: {error}."));
                false
            }
        }
    }

    /// Puts another run, as it was saved, in the place of this one: of which it was made, if `is_remade`.
    pub(super) async fn adopt(
        &mut self,
        checkpoint: Checkpoint,
        device: OpenDevice,
        is_remade: bool,
    ) -> Result<(), CheckpointError> {
        // The state to go back to if the device is lost.
        let bytes = Some(checkpoint.to_bytes()?);
        let mut trainer = Trainer::resume(checkpoint, device.device.clone(), &device.limits)?;
        let _ = trainer.record_start().await; // a device that fails shows it at the next step too
        self.keep_run().await;
        self.take(trainer, device, is_remade);
        self.saved.bytes = bytes;
        Ok(())
    }

    /// Loads the run as it was last saved.
    pub(super) async fn load_saved(&mut self, bytes: Vec<u8>, choice: DeviceChoice) {
        let name = "the saved run".into();
        self.load_files(vec![NamedFile { name, bytes }], choice).await;
    }

    pub(super) async fn load_files(&mut self, files: Vec<NamedFile>, choice: DeviceChoice) {
        let opened = {
            let files = files.iter().map(|NamedFile { name, bytes }| File { name, bytes });
            import::open(&files.collect::<Vec<_>>())
        };
        drop(files);
        match opened {
            Ok(opened) => {
                opened.notes.into_iter().for_each(|note| self.notice(note));
                self.load(opened.checkpoint, choice).await;
            }
            Err(error) => self.refuse(format!("The checkpoint was not loaded: {error}.")),
        }
    }

    pub(super) async fn load(&mut self, checkpoint: Checkpoint, choice: DeviceChoice) {
        self.save().await;
        let Some(device) = self.open(choice).await else { return };
        match self.adopt(checkpoint, device, false).await {
            Ok(()) => self.report_fields().await,
            Err(error) => self.refuse(format!("The checkpoint was not loaded: {error}.")),
        }
    }

    /// The losses by field of a run that was loaded, on one batch of each split.
    pub(super) async fn report_fields(&mut self) {
        let Some(trainer) = self.trainer.as_ref().filter(|trainer| !trainer.task.is_none()) else {
            return;
        };
        let (train, val) =
            (trainer.losses(Split::Train, 1).await, trainer.losses(Split::Validation, 1).await);
        // A device that fails shows it at the next step too.
        if let (Ok(train), Ok(val)) = (train, val) {
            let fields = FieldLoss::of(&train, &val);
            (self.emit)(Event::Fields { step: trainer.step, fields });
        }
    }

    /// Puts another trainer in the place of the session's, and reports it.
    pub(super) fn take(&mut self, trainer: Trainer, device: OpenDevice, is_remade: bool) {
        (self.emit)(Event::Device(device.report.clone()));
        (self.emit)(Event::Built(Box::new(Built {
            step: trainer.step,
            is_remade,
            parameters: trainer.model().layout.len(),
            vocab_size: trainer.tokenizer.vocab_size(),
            is_approximate: trainer.tokenizer.is_approximate(),
            training_bytes: trainer
                .config
                .model
                .training_bytes(trainer.tokenizer.vocab_size(), trainer.config.train.batch),
            history: trainer.history.clone(),
            example_prompt: trainer.task.example_prompt(trainer.config.seed),
            probes: trainer.task.probes(trainer.config.seed),
            floor: trainer.floor(),
            reference: trainer.reference(),
            id: run_id(&trainer.config),
            config: trainer.config.clone(),
        })));
        self.running &= is_remade && !trainer.finished();
        self.drop_work();
        if trainer.tokenizer.encode(&self.inspected.prompt).is_err() {
            self.inspected.prompt.clear(); // it was another task's
        }
        self.logits = None;
        self.steps.follow(&trainer);
        self.undo = Undo::default();
        self.report_kept();
        self.pace = Pace::new();
        self.saved = Saved::at(trainer.step);
        let state = match trainer.finished() {
            true => RunState::Finished,
            false if self.running => RunState::Running,
            false => RunState::Paused,
        };
        (self.emit)(Event::State(state));
        self.device = Some(device);
        self.trainer = Some(trainer);
        self.check_ablations();
        self.analysis.forget_model();
        self.report_memory();
    }
}
