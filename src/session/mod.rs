//! The loop between a user and a run: [`Command`]s in, [`Event`]s out. The page's worker and the
//! terminal both run it.

mod describe;
mod heads;
mod job;
mod keep;
mod look;
mod memory;
mod steps;
mod surgery;
mod work;

use futures::{FutureExt, Stream, StreamExt};
use web_time::{Duration, Instant};

use crate::capacity;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::config::RunConfig;
use crate::import::{self, File};
use crate::platform::{self, OpenDevice, Store};
use crate::protocol::*;
use crate::sample::Sampler;
use crate::task::Split;
use crate::trace::Logits;
use crate::trainer::Trainer;

use job::Job;
use keep::Saved;
use look::Sight;
use memory::Aside;
use steps::Steps;
use surgery::Undo;
use work::{Pace, Traced};

/// How long the loop may compute before commands are looked at.
const YIELD_EVERY: Duration = Duration::from_millis(40);

/// Runs a session until `commands` end. `emit` is called with each event as it happens.
pub async fn run(
    mut commands: impl Stream<Item = Command> + Unpin,
    emit: impl Fn(Event),
    store: Store,
) {
    let mut session = Session::new(emit, store);
    (session.emit)(Event::Ready);
    session.offer_resume().await;
    let mut yielded = Instant::now();
    loop {
        let idle = session.is_idle();
        let command =
            if idle { Some(commands.next().await) } else { commands.next().now_or_never() };
        match command {
            Some(Some(command)) => session.obey(command).await,
            Some(None) => break,
            None => session.work().await,
        }
        if yielded.elapsed() > YIELD_EVERY {
            platform::yield_now().await;
            yielded = Instant::now();
        }
    }
    session.save().await;
}

struct Session<E: Fn(Event)> {
    emit: E,
    store: Store,
    device: Option<OpenDevice>,
    trainer: Option<Trainer>,
    running: bool,
    sampler: Option<Sampler>,
    job: Option<Job>,
    /// The prompt that is inspected, and how its characters are drawn.
    inspected: SampleOptions,
    /// Those of the last trace.
    logits: Option<Logits>,
    steps: Steps,
    undo: Undo,
    pace: Pace,
    traced: Traced,
    sight: Sight,
    /// When the job was last told of.
    told: Option<Instant>,
    saved: Saved,
    aside: Aside,
}

impl<E: Fn(Event)> Session<E> {
    fn new(emit: E, store: Store) -> Self {
        Self {
            emit,
            store,
            device: None,
            trainer: None,
            running: false,
            sampler: None,
            job: None,
            inspected: SampleOptions { prompt: String::new(), ..SampleOptions::default() },
            logits: None,
            steps: Steps::new(),
            undo: Undo::default(),
            pace: Pace::new(),
            traced: Traced::new(),
            sight: Sight::new(),
            told: None,
            saved: Saved::at(0),
            aside: Aside::default(),
        }
    }

    fn notice(&self, text: impl Into<String>) {
        (self.emit)(Event::Notice { text: text.into() });
    }

    fn refuse(&self, reason: impl ToString) {
        (self.emit)(Event::Refused { reason: reason.to_string() });
    }

    async fn offer_resume(&mut self) {
        if let Some(bytes) = self.store.latest().await
            && let Ok(checkpoint) = Checkpoint::from_bytes(&bytes)
            && checkpoint.step > 0
        {
            (self.emit)(Event::Resumable {
                config: Box::new(checkpoint.config),
                step: checkpoint.step,
            });
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Build { config, device } => self.build(*config, device).await,
            Command::Continue { config } => self.continue_with(*config).await,
            Command::DescribeTask { number, config } => {
                let facts = describe::describe(&config).map_err(|error| error.to_string());
                (self.emit)(Event::TaskDescribed { number, facts });
            }
            Command::Train => self.start(),
            Command::Pause => self.pause().await,
            Command::Step => self.step_once().await,
            Command::Sample(options) => self.start_sample(options),
            Command::Inspect(options) => {
                let is_same = options.prompt == self.inspected.prompt;
                self.inspected = options;
                match is_same && self.logits.is_some() {
                    true => self.tell_expected(),
                    false => self.trace().await,
                }
            }
            Command::Visit { step, beside } => self.visit(step, beside).await,
            Command::Surgery(operation) => self.operate(operation).await,
            Command::Undo => self.undo().await,
            Command::Look(look) => self.sight.turn_to(look.map(|look| *look)),
            Command::ChangeMemory(change) => self.change_memory(change).await,
            Command::Evaluate(options) => self.start_evaluation(options),
            Command::AverageAttention { records } => self.start_averaging(records),
            Command::Probe { prompt, options } => self.start_probing(prompt, options),
            Command::Sweep { runs, device } => self.start_sweep(runs, device).await,
            Command::Distill { config, text, prompt } => {
                self.start_distillation(*config, text, prompt).await;
            }
            Command::Bench { runs, device } => self.start_bench(runs, device).await,
            Command::MergeOutcomes { outcomes, text, file } => {
                let merged = match capacity::merge(outcomes.clone(), &text) {
                    // What the browser kept is passed over if it is damaged.
                    Err(_) if file.is_none() => capacity::merge(outcomes, ""),
                    merged => merged,
                };
                let merged = merged.map_err(|error| error.to_string());
                (self.emit)(Event::OutcomesMerged { file, merged });
            }
            Command::StopJob => self.stop_job(),
            Command::SaveCheckpoint => self.export().await,
            Command::LoadCheckpoint { files, device } => self.load_files(files, device).await,
            Command::Resume { device } => match self.store.latest().await {
                Some(bytes) => self.load_saved(bytes, device).await,
                None => self.refuse("There is no saved run to resume in this browser."),
            },
        }
    }

    async fn build(&mut self, config: RunConfig, choice: DeviceChoice) {
        self.save().await;
        let Some(device) = self.open(choice).await else { return };
        match Trainer::new(config, device.device.clone(), &device.limits) {
            Ok(trainer) => {
                self.keep_run().await;
                self.take(trainer, device, false);
                // Weights that were just drawn can be read.
                let _ = self.keep_step().await;
            }
            Err(error) => self.refuse(format!("This cannot be run: {error}.")),
        }
    }

    /// A new run from where this one is.
    async fn continue_with(&mut self, config: RunConfig) {
        let Some(trainer) = &self.trainer else {
            return self.refuse("There is no model to go on from yet: press Train first.");
        };
        let Some(device) = self.device.clone() else { return };
        let checkpoint = match trainer.checkpoint().await {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.recover(error).await,
        };
        self.save().await;
        let begun = match checkpoint.restart(config) {
            Ok(restarted) => self.adopt(restarted, device, false).await,
            Err(error) => Err(error),
        };
        match begun {
            Ok(()) => drop(self.keep_step().await),
            Err(error) => self.refuse(format!("The run cannot go on with this: {error}.")),
        }
    }

    /// Another run, as it was saved, takes the place of this one: of which it was made, if it is remade.
    async fn adopt(
        &mut self,
        checkpoint: Checkpoint,
        device: OpenDevice,
        is_remade: bool,
    ) -> Result<(), CheckpointError> {
        // What is gone back to if the device is lost.
        let bytes = checkpoint.to_bytes().ok();
        let trainer = Trainer::resume(checkpoint, device.device.clone(), &device.limits)?;
        self.keep_run().await;
        self.take(trainer, device, is_remade);
        self.saved.bytes = bytes;
        Ok(())
    }

    /// What was kept of the run.
    async fn load_saved(&mut self, bytes: Vec<u8>, choice: DeviceChoice) {
        let name = "the saved run".into();
        self.load_files(vec![NamedFile { name, bytes }], choice).await;
    }

    async fn load_files(&mut self, files: Vec<NamedFile>, choice: DeviceChoice) {
        let opened = {
            let files = files.iter().map(|NamedFile { name, bytes }| File { name, bytes });
            import::open(&files.collect::<Vec<_>>())
        };
        drop(files);
        match opened {
            Ok(checkpoint) => self.load(checkpoint, choice).await,
            Err(error) => self.refuse(format!("The checkpoint was not loaded: {error}.")),
        }
    }

    async fn load(&mut self, checkpoint: Checkpoint, choice: DeviceChoice) {
        self.save().await;
        let Some(device) = self.open(choice).await else { return };
        match self.adopt(checkpoint, device, false).await {
            Ok(()) => self.tell_fields().await,
            Err(error) => self.refuse(format!("The checkpoint was not loaded: {error}.")),
        }
    }

    /// The chosen device, or an answer on why there is none.
    async fn open(&mut self, choice: DeviceChoice) -> Option<OpenDevice> {
        match self.find_device(choice).await {
            Ok((device, notice)) => {
                if let Some(text) = notice {
                    self.notice(text);
                }
                Some(device)
            }
            Err(reason) => {
                self.refuse(reason);
                None
            }
        }
    }

    /// The device in use if it is of that choice, else a newly opened one, and what the user
    /// should know of it.
    async fn find_device(
        &self,
        choice: DeviceChoice,
    ) -> Result<(OpenDevice, Option<String>), String> {
        match &self.device {
            Some(device) if device.serves(choice) => Ok((device.clone(), None)),
            _ => platform::open(choice).await,
        }
    }

    /// The losses by field of a run that was loaded, on one batch of each split.
    async fn tell_fields(&mut self) {
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

    fn take(&mut self, trainer: Trainer, device: OpenDevice, is_remade: bool) {
        (self.emit)(Event::Device(device.report.clone()));
        (self.emit)(Event::Built(Box::new(Built {
            step: trainer.step,
            is_remade,
            parameters: trainer.layout.len(),
            vocab_size: trainer.tokenizer.vocab_size(),
            training_bytes: trainer
                .config
                .model
                .training_bytes(trainer.tokenizer.vocab_size(), trainer.config.train.batch),
            history: trainer.history.clone(),
            example_prompt: trainer.task.example_prompt(trainer.config.seed),
            probes: trainer.task.probes(trainer.config.seed),
            floor: trainer.task.floor(),
            baseline: trainer.task.baseline(),
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
        self.tell_kept();
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
        self.sight.forget_model();
        self.tell_memory();
    }

    fn start(&mut self) {
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

    async fn pause(&mut self) {
        if self.running {
            self.running = false;
            (self.emit)(Event::State(RunState::Paused));
            self.tell_memory();
            self.trace().await;
            self.sight.follow(false);
            self.save().await;
        }
    }

    async fn step_once(&mut self) {
        self.running = false;
        self.train_step().await;
        self.trace().await;
        self.sight.follow(false);
        if self.trainer.as_ref().is_some_and(|trainer| !trainer.finished()) {
            (self.emit)(Event::State(RunState::Paused));
        }
    }

    fn is_idle(&self) -> bool {
        !self.running && self.sampler.is_none() && self.job.is_none() && self.sight.is_idle()
    }

    /// Gives up what works with the model that there was.
    fn drop_work(&mut self) {
        self.sampler = None;
        self.stop_job();
    }

    fn start_sample(&mut self, options: SampleOptions) {
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no model to sample from yet: press Train first.");
        };
        let prompt = options.prompt.clone();
        match Sampler::new(trainer, options) {
            Ok(sampler) => {
                self.sampler = Some(sampler);
                (self.emit)(Event::SampleStarted { prompt });
            }
            Err(error) => self.notice(format!("The sample was not drawn: {error}.")),
        }
    }
}
