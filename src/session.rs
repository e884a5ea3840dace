//! The loop between a user and a run: [`Command`]s in, [`Event`]s out. The page's worker and the
//! terminal both run it.

use burn::tensor::ExecutionError;
use futures::{FutureExt, Stream, StreamExt};
use web_time::{Duration, Instant};

use crate::checkpoint::Checkpoint;
use crate::config::RunConfig;
use crate::platform::{self, OpenDevice, Store};
use crate::protocol::*;
use crate::sample::Sampler;
use crate::trace;
use crate::trainer::Trainer;

/// How long a run may go without being saved.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// How long the loop may compute before commands are looked at.
const YIELD_EVERY: Duration = Duration::from_millis(40);
/// Share of the time that tracing may take while training: 1 / 20.
const TRACE_SHARE: u32 = 20;
/// Traces are not drawn more often than this.
const TRACE_EVERY: Duration = Duration::from_millis(500);

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
        let idle = !session.running && session.sampler.is_none();
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
    prompt: String,
    pace: Pace,
    traced: Traced,
    saved: Saved,
}

/// Steps and tokens since the last report of speed.
struct Pace {
    since: Instant,
    steps: usize,
    tokens: usize,
    steps_per_s: f32,
    tokens_per_s: f32,
}

impl Pace {
    fn new() -> Self {
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
struct Traced {
    at: Instant,
    took: Duration,
}

/// The last state of the run that is safe: where a lost device is resumed from.
struct Saved {
    at: Instant,
    took: Duration,
    bytes: Option<Vec<u8>>,
    step: usize,
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
            prompt: String::new(),
            pace: Pace::new(),
            traced: Traced { at: Instant::now(), took: Duration::ZERO },
            saved: Saved { at: Instant::now(), took: Duration::ZERO, bytes: None, step: 0 },
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
            (self.emit)(Event::Resumable { config: checkpoint.config, step: checkpoint.step });
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Build { config, device } => self.build(config, device).await,
            Command::Train => self.start(),
            Command::Pause => self.pause().await,
            Command::Step => self.step_once().await,
            Command::Sample(options) => self.start_sample(options),
            Command::Inspect { prompt } => {
                self.prompt = prompt;
                self.trace().await;
            }
            Command::SaveCheckpoint => self.export().await,
            Command::LoadCheckpoint { bytes, device } => self.load(&bytes, device).await,
            Command::Resume { device } => match self.store.latest().await {
                Some(bytes) => self.load(&bytes, device).await,
                None => self.refuse("There is no saved run to resume in this browser."),
            },
        }
    }

    async fn build(&mut self, config: RunConfig, choice: DeviceChoice) {
        self.save().await;
        let Some(device) = self.open(choice).await else { return };
        match Trainer::new(config, device.device.clone(), &device.limits) {
            Ok(trainer) => self.take(trainer, device),
            Err(error) => self.refuse(error),
        }
    }

    async fn load(&mut self, bytes: &[u8], choice: DeviceChoice) {
        self.save().await;
        let checkpoint = match Checkpoint::from_bytes(bytes) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.refuse(format!("The checkpoint was not loaded: {error}.")),
        };
        let Some(device) = self.open(choice).await else { return };
        match Trainer::resume(checkpoint, device.device.clone(), &device.limits) {
            Ok(trainer) => {
                self.take(trainer, device);
                self.saved.bytes = Some(bytes.to_vec());
            }
            Err(error) => self.refuse(format!("The checkpoint was not loaded: {error}.")),
        }
    }

    /// The chosen device: the one in use if it is of that choice, else a newly opened one.
    async fn open(&mut self, choice: DeviceChoice) -> Option<OpenDevice> {
        if let Some(device) = &self.device
            && device.serves(choice)
        {
            return Some(device.clone());
        }
        match platform::open(choice).await {
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

    fn take(&mut self, trainer: Trainer, device: OpenDevice) {
        (self.emit)(Event::Device(device.report.clone()));
        (self.emit)(Event::Built(Built {
            step: trainer.step,
            parameters: trainer.layout.len(),
            vocab_size: trainer.tokenizer.vocab_size(),
            training_bytes: trainer
                .config
                .model
                .training_bytes(trainer.tokenizer.vocab_size(), trainer.config.train.batch),
            history: trainer.history.clone(),
            example_prompt: trainer.task.example_prompt(trainer.config.seed),
            config: trainer.config.clone(),
        }));
        self.running = false;
        self.sampler = None;
        self.pace = Pace::new();
        self.saved =
            Saved { at: Instant::now(), took: Duration::ZERO, bytes: None, step: trainer.step };
        let state = if trainer.finished() { RunState::Finished } else { RunState::Paused };
        (self.emit)(Event::State(state));
        self.device = Some(device);
        self.trainer = Some(trainer);
    }

    fn start(&mut self) {
        let state = match &self.trainer {
            None => return self.notice("There is no model yet: choose a task and press Train."),
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
            self.trace().await;
            self.save().await;
        }
    }

    async fn step_once(&mut self) {
        self.running = false;
        self.train_step().await;
        self.trace().await;
        if self.trainer.as_ref().is_some_and(|trainer| !trainer.finished()) {
            (self.emit)(Event::State(RunState::Paused));
        }
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

    /// One piece of what there is to do: a character of a sample, a step.
    async fn work(&mut self) {
        if let Some(mut sampler) = self.sampler.take() {
            match sampler.next().await {
                Ok(Some(character)) => {
                    (self.emit)(Event::Character(character));
                    self.sampler = Some(sampler);
                }
                Ok(None) => (self.emit)(Event::SampleEnded { text: sampler.text().into() }),
                Err(error) => self.recover(error).await,
            }
        }
        if self.running {
            self.train_step().await;
            let due = TRACE_EVERY.max(self.traced.took * TRACE_SHARE);
            if self.running && self.traced.at.elapsed() > due {
                self.trace().await;
            }
            if self.saved.at.elapsed() > SAVE_EVERY.max(self.saved.took * 20) {
                self.save().await;
            }
        }
    }

    async fn train_step(&mut self) {
        let Some(trainer) = &mut self.trainer else {
            return self.notice("There is no model yet: choose a task and press Train.");
        };
        if trainer.finished() {
            return (self.emit)(Event::State(RunState::Finished));
        }
        match trainer.step().await {
            Ok(outcome) => {
                let (finished, loss) = (trainer.finished(), outcome.loss);
                self.pace.count(outcome.tokens);
                let Pace { steps_per_s, tokens_per_s, .. } = self.pace;
                (self.emit)(Event::Step(StepReport { loss, steps_per_s, tokens_per_s }));
                if !loss.train_loss.is_finite() {
                    self.running = false;
                    (self.emit)(Event::State(RunState::Paused));
                    self.notice(format!(
                        "The loss is no longer a number after step {}: training has diverged. \
                         Lower the Learning rate and press Reset.",
                        loss.step
                    ));
                } else if finished {
                    self.running = false;
                    (self.emit)(Event::State(RunState::Finished));
                    self.trace().await;
                    self.save().await;
                }
            }
            Err(error) => self.recover(error).await,
        }
    }

    async fn trace(&mut self) {
        let Some(trainer) = &self.trainer else { return };
        if self.prompt.is_empty() {
            return;
        }
        let start = Instant::now();
        match trace::trace(trainer, &self.prompt).await {
            Ok(trace) => (self.emit)(Event::Trace(trace)),
            Err(trace::TraceError::Device(error)) => return self.recover(error).await,
            Err(error) => {
                self.prompt.clear(); // said once, not at every trace
                self.notice(format!("{error}."));
            }
        }
        self.traced = Traced { at: Instant::now(), took: start.elapsed() };
    }

    async fn export(&mut self) {
        let Some(trainer) = &self.trainer else {
            return self.notice("There is no run to save yet: press Train first.");
        };
        match trainer.checkpoint().await {
            Ok(checkpoint) => match checkpoint.to_bytes() {
                Ok(bytes) => {
                    (self.emit)(Event::CheckpointFile { name: checkpoint.file_name(), bytes })
                }
                Err(error) => self.notice(format!("The checkpoint was not written: {error}.")),
            },
            Err(error) => self.recover(error).await,
        }
    }

    /// Keeps the run in the store and in memory, unless nothing has happened since it was kept
    /// or it holds values that are no numbers.
    async fn save(&mut self) {
        let Some(trainer) = &self.trainer else { return };
        if trainer.step == self.saved.step {
            return;
        }
        let start = Instant::now();
        let Ok(checkpoint) = trainer.checkpoint().await else { return };
        let step = checkpoint.step;
        if checkpoint.parameters.iter().all(|value| value.is_finite()) {
            match checkpoint.to_bytes() {
                Ok(bytes) => {
                    match self.store.save(&checkpoint, &bytes).await {
                        Ok(true) => (self.emit)(Event::Saved { step }),
                        Ok(false) => {}
                        Err(error) => self.notice(format!("The run was not saved: {error}.")),
                    }
                    self.saved.bytes = Some(bytes);
                }
                Err(error) => self.notice(format!("The run was not saved: {error}.")),
            }
        }
        (self.saved.at, self.saved.took, self.saved.step) = (Instant::now(), start.elapsed(), step);
    }

    /// Goes on on the CPU from the last safe state after the device failed.
    async fn recover(&mut self, error: ExecutionError) {
        let running = self.running;
        self.running = false;
        self.sampler = None;
        let Some(lost) = self.device.take() else { return };
        let reason = error.to_string().lines().next().unwrap_or_default().to_string();
        self.notice(format!(
            "{} failed ({reason}). The run goes on on the CPU from its last saved step.",
            lost.report.name
        ));
        let config = self.trainer.take().map(|trainer| trainer.config);
        let cpu = DeviceChoice::Cpu;
        match (self.saved.bytes.take(), config) {
            (Some(bytes), _) => self.load(&bytes, cpu).await,
            (None, Some(config)) => self.build(config, cpu).await,
            (None, None) => {}
        }
        if running {
            self.start();
        }
    }
}
