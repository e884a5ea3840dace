//! Begins runs: built, continued, or loaded from files.

use super::pace::Pace;
use super::saved::Saved;
use super::state::Session;
use super::undo::Undo;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::codec::CodecRun;
use crate::config::{LearnerKind, RunConfig};
use crate::device::OpenDevice;
use crate::import::{self, File};
use crate::learn::Trainer;
use crate::protocol::{Built, Event, NamedFile, RunState};
use crate::run::{DeviceChoice, FieldLoss, Packed};
use crate::task::Split;

/// Held-out records whose likeliest outputs are looked for.
const LIKELIEST: usize = 200;

impl<E: Fn(Event)> Session<E> {
    pub(super) async fn offer_resume(&mut self) {
        let saved = match self.store.latest().await {
            Ok(None) => return,
            Ok(Some((id, bytes))) => match saved_run(&bytes) {
                Ok((config, step)) => Ok((id, config, step)),
                Err(error) => Err(error.to_string()),
            },
            Err(reason) => Err(reason),
        };
        match saved {
            Ok((id, config, step)) if step > 0 => {
                (self.emit)(Event::Resumable { id, config: Box::new(config), step });
            }
            Ok(_) => {}
            Err(reason) => self.notice(format!("The saved run cannot be read: {reason}.")),
        }
    }

    /// Makes a new run; `false` if it was refused, which has been said.
    pub(super) async fn build(&mut self, config: RunConfig, choice: DeviceChoice) -> bool {
        if config.learner == LearnerKind::Codec {
            return self.build_codec(config).await;
        }
        self.save().await;
        let Some(device) = self.open(choice).await else { return false };
        match Trainer::new(config, device.device.clone(), &device.limits) {
            Ok(trainer) => {
                self.keep_run().await;
                self.run = self.store.new_run();
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
        if self.codec.is_some() {
            self.refuse("A noise codec has no weights to go on from: press New run.");
            return false;
        }
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
            Ok(restarted) => self.adopt(restarted, device, false, self.store.new_run()).await,
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

    /// Puts another run, as it was saved, in the place of this one: of which it was made, if `is_remade`. The storage
    /// names it `run`.
    pub(super) async fn adopt(
        &mut self,
        checkpoint: Checkpoint,
        device: OpenDevice,
        is_remade: bool,
        run: String,
    ) -> Result<(), CheckpointError> {
        // The state to go back to if the device is lost.
        let bytes = Some(checkpoint.to_bytes()?);
        let mut trainer = Trainer::resume(checkpoint, device.device.clone(), &device.limits)?;
        let _ = trainer.record_start().await; // a device that fails shows it at the next step too
        self.keep_run().await;
        self.run = run;
        self.take(trainer, device, is_remade);
        self.saved.bytes = bytes;
        Ok(())
    }

    /// Loads a run as it was last saved, under its name in the storage.
    pub(super) async fn load_saved(&mut self, run: String, bytes: Vec<u8>, choice: DeviceChoice) {
        let name = "the saved run".into();
        let run = match self.store.claim(&run).await {
            true => run,
            false => {
                self.notice("This run is open in another tab, so it goes on here as a copy.");
                self.store.new_run()
            }
        };
        self.load_files(vec![NamedFile { name, bytes }], choice, run).await;
    }

    pub(super) async fn load_files(
        &mut self,
        files: Vec<NamedFile>,
        choice: DeviceChoice,
        run: String,
    ) {
        if let [file] = files.as_slice()
            && CodecRun::is_one(&file.bytes)
        {
            return self.load_codec(&file.bytes, run).await;
        }
        let opened = {
            let files = files.iter().map(|NamedFile { name, bytes }| File { name, bytes });
            import::open(&files.collect::<Vec<_>>())
        };
        drop(files);
        match opened {
            Ok(opened) => {
                opened.notes.into_iter().for_each(|note| self.notice(note));
                self.load(opened.checkpoint, choice, run).await;
            }
            Err(error) => self.refuse(format!("The checkpoint was not loaded: {error}.")),
        }
    }

    /// Loads the run of a link with its weights.
    pub(super) async fn unpack(
        &mut self,
        config: RunConfig,
        weights: &Packed,
        choice: DeviceChoice,
    ) {
        let Some(OpenDevice { limits, .. }) = self.open(choice).await else { return };
        match weights.unpack(config, &limits) {
            Ok(checkpoint) => self.load(checkpoint, choice, self.store.new_run()).await,
            Err(error) => self.refuse(format!("The model of the link was not loaded: {error}.")),
        }
    }

    async fn load(&mut self, checkpoint: Checkpoint, choice: DeviceChoice, run: String) {
        self.save().await;
        let Some(device) = self.open(choice).await else { return };
        match self.adopt(checkpoint, device, false, run).await {
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
    pub(super) fn take(&mut self, mut trainer: Trainer, device: OpenDevice, is_remade: bool) {
        trainer.crew = self.crew.clone();
        (self.emit)(Event::Device(device.report.clone()));
        (self.emit)(Event::Built(Box::new(Built {
            step: trainer.step,
            is_remade,
            parameters: trainer.model().layout.len(),
            vocab_size: trainer.tokenizer.vocab_size(),
            is_approximate: trainer.tokenizer.is_approximate(),
            training_bytes: trainer.training_bytes(),
            history: trainer.history.clone(),
            example_prompt: trainer.task.example_prompt(trainer.config.seed),
            probes: trainer.task.probes(trainer.config.seed),
            floor: trainer.floor(),
            reference: trainer.reference(),
            likeliest: trainer.task.likeliest(LIKELIEST, trainer.config.seed),
            id: self.run.clone(),
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
        self.codec = None;
        self.trainer = Some(trainer);
        self.check_ablations();
        self.analysis.forget_model();
        self.report_memory();
    }
}

/// The settings and the step of a run that was saved, if all of it can be read.
fn saved_run(bytes: &[u8]) -> Result<(RunConfig, usize), CheckpointError> {
    if CodecRun::is_one(bytes) {
        let CodecRun { config, step, .. } = CodecRun::from_bytes(bytes)?;
        return Ok((config, step));
    }
    let Checkpoint { config, step, .. } = Checkpoint::from_bytes(bytes)?;
    Ok((config, step))
}
