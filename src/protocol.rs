//! All that the page and its worker say to each other. The terminal speaks the same to a session
//! in its own process.

use serde::{Deserialize, Serialize};

use crate::capacity::{Merged, Outcome, Sweeping};
use crate::config::RunConfig;
use crate::look::{Look, Looked};
use crate::report::{
    AttentionByType, BenchReport, DistillReport, EvalOptions, ProbeReport, Report,
};
use crate::surgery::Operation;
use crate::task::{Field, Floor, Probe};

/// Where a session computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A real GPU if there is one, else the CPU.
    #[default]
    Auto,
    Cpu,
    Webgpu,
    Vulkan,
    Cuda,
}

impl_names! {
    DeviceChoice:
    Auto = "auto",
    Cpu = "cpu",
    Webgpu = "webgpu",
    Vulkan = "vulkan",
    Cuda = "cuda",
}

impl DeviceChoice {
    /// What a browser offers.
    pub const BROWSER: &'static [&'static str] = &["auto", "cpu", "webgpu"];
}

/// How characters are drawn from the model's probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleOptions {
    pub prompt: String,
    /// 0 always takes the likeliest character; 2 is the most random.
    pub temperature: f64,
    /// Draw from the `top_k` likeliest characters only; 0 draws from all.
    pub top_k: usize,
    pub seed: u64,
    /// Most characters to draw; a sample also ends after `{E}`.
    pub max_chars: usize,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self { prompt: "{B}".into(), temperature: 0.8, top_k: 0, seed: 1, max_chars: 256 }
    }
}

/// From the page to the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Makes a new, untrained model on the device, in place of any there is.
    /// Answered with [`Event::Built`] and [`Event::State`], or [`Event::Refused`].
    Build { config: Box<RunConfig>, device: DeviceChoice },
    /// Makes a new run of the weights and memories that there are, with other settings: answered as
    /// [`Command::Build`].
    Continue { config: Box<RunConfig> },
    /// Asks for what of the task of `config` a model must fit: [`Event::TaskDescribed`] with the same
    /// `number`.
    DescribeTask { number: usize, config: Box<RunConfig> },
    /// Trains until paused or until the run's last step.
    Train,
    /// Stops after the step under way.
    Pause,
    /// Trains one step.
    Step,
    /// Streams a sample: [`Event::SampleStarted`], [`Event::Character`]s, [`Event::SampleEnded`].
    Sample(SampleOptions),
    /// Traces the prompt now, and again while training: [`Event::Trace`] and [`Event::Expected`];
    /// nothing, if it is empty. With other numbers for the same prompt, what is expected is told anew
    /// without a forward pass. Characters that the model does not know are answered with a notice.
    Inspect(SampleOptions),
    /// From now on, the model is looked into as it was after `step`, one of [`Event::Kept`], or as it
    /// is; and what another one shows is taken from what this one shows.
    Visit { step: Option<usize>, beside: Option<Beside> },
    /// Does this to the model, which then trains on if it was training; [`Event::Built`] and a notice of
    /// what it did, or [`Event::Refused`].
    Surgery(Operation),
    /// Takes the last operation back, with what was trained since: [`Event::Built`], or
    /// [`Event::Refused`].
    Undo,
    /// Looks at this now, and again while training: [`Event::Looked`], again and again until all is
    /// found; `None` looks at nothing.
    Look(Option<Box<Look>>),
    /// Changes what the model remembers, its weights staying as they are: [`Event::Remembered`], or a notice on
    /// why not.
    ChangeMemory(MemoryChange),
    /// Has the model answer, in place of any other job under way: [`Event::Evaluated`], again and
    /// again until all records are done.
    Evaluate(EvalOptions),
    /// Draws `options.records` samples after `prompt`, in place of any other job under way:
    /// [`Event::Probed`], again and again until all are there.
    Probe { prompt: String, options: EvalOptions },
    /// Averages attention over `records` records, by the type of what is to be written:
    /// [`Event::AttentionByType`], again and again until all are in.
    AverageAttention { records: usize },
    /// Trains these runs one after the other and tells what each recalls, in place of any other job
    /// under way: [`Event::Sweeping`], again and again until all have ended.
    Sweep { runs: Vec<RunConfig>, device: DeviceChoice },
    /// Measures how fast models of these runs' sizes train and write, in place of any other job
    /// under way: [`Event::Benched`], again and again until all are measured.
    Bench { runs: Vec<RunConfig>, device: DeviceChoice },
    /// Trains a clone of the model with the memory, training settings, noise and seed of `config`, in
    /// place of any other job under way: [`Event::Distilled`], again and again until all steps are done.
    /// The clone then takes the model's place: [`Event::Built`]. Both read `text`, or without one
    /// records of the task; both write on from `prompt`, or without one from an example.
    Distill { config: Box<RunConfig>, text: Option<String>, prompt: Option<String> },
    /// Adds to these outcomes of sweeps those that only `text` has, in JSON lines, from a `file` if it
    /// has a name: [`Event::OutcomesMerged`].
    MergeOutcomes { outcomes: Vec<Outcome>, text: String, file: Option<String> },
    /// Gives up the job under way. A sweep or benchmark that is given up is told of once more.
    StopJob,
    /// Asks for the run as a checkpoint file: [`Event::CheckpointFile`].
    SaveCheckpoint,
    /// Continues from a checkpoint file, or takes another's model from its files: [`Event::Built`], or
    /// [`Event::Refused`].
    LoadCheckpoint { files: Vec<NamedFile>, device: DeviceChoice },
    /// Continues from the autosaved run that [`Event::Resumable`] told of.
    Resume { device: DeviceChoice },
}

/// A change to what a model remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MemoryChange {
    Slots(SlotChange),
    /// Keeps a copy under this name, for as long as the session lasts.
    PutAside(String),
    /// Puts the copy of this name in the place of what is remembered.
    Swap(String),
    /// Has the memories learn a text, the weights staying as they are.
    Teach(String),
}

/// A change by hand to the slots of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SlotChange {
    /// Drops slots of a layer: these or, if none are named, all that a text with `written_by` in it wrote.
    Remove { layer: usize, slots: Vec<u64>, written_by: String },
    /// Gives a slot the value of another.
    Like { layer: usize, slot: u64, other: u64 },
    /// Gives a slot a value.
    Value { layer: usize, slot: u64, value: Vec<f32> },
    /// Drops all slots of all layers.
    Empty,
}

/// A file as the user chose it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedFile {
    /// Without folders.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A model that another one is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beside {
    /// That of the same run after this step.
    Step(usize),
    /// That in which an earlier run ended: an index of [`Event::Kept`].
    Run(usize),
}

/// From the session to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The session is there and takes commands. The first event.
    Ready,
    /// An autosaved run of an earlier visit is there.
    Resumable {
        config: Box<RunConfig>,
        step: usize,
    },
    /// Why the task cannot be made is told in place of its facts.
    TaskDescribed {
        number: usize,
        facts: Result<TaskFacts, String>,
    },
    /// The device in use.
    Device(DeviceReport),
    /// A model is there, new or loaded.
    Built(Box<Built>),
    State(RunState),
    Step(StepReport),
    /// The losses by field, after a step that was validated.
    Fields {
        step: usize,
        fields: Vec<FieldLoss>,
    },
    /// A run was not built or loaded; the session is as it was before.
    Refused {
        reason: String,
    },
    SampleStarted {
        prompt: String,
    },
    Character(CharacterReport),
    SampleEnded {
        text: String,
    },
    Trace(Trace),
    /// What follows each of the traced prompt's tokens.
    Expected(Expected),
    /// Steps of the run, and earlier runs by name, that can be looked into.
    Kept {
        steps: Vec<usize>,
        runs: Vec<String>,
    },
    Looked(Box<Looked>),
    /// What is remembered: slots by layer, and the copies that are put aside.
    Remembered {
        slots: Vec<(usize, usize)>,
        aside: Vec<String>,
    },
    Evaluated(Box<Evaluated>),
    Probed(ProbeReport),
    AttentionByType(Box<AttentionByType>),
    Sweeping(Box<Sweeping>),
    Benched(BenchReport),
    /// Of 0 steps if it was not begun.
    Distilled(Box<DistillReport>),
    /// Or why the file was not read.
    OutcomesMerged {
        file: Option<String>,
        merged: Result<Merged, String>,
    },
    CheckpointFile {
        name: String,
        bytes: Vec<u8>,
    },
    /// The run as of `step` is in the browser's storage, or in the file at the terminal.
    Saved {
        step: usize,
    },
    /// Something the user should know; nothing else follows from it.
    Notice {
        text: String,
    },
}

/// What of a task a model must fit, and a look at it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFacts {
    /// How many different ones its records are made of.
    pub characters: usize,
    /// Length of the longest record, in characters; 2 for plain text, which is cut to any window.
    pub longest: usize,
    /// The beginning of a training record as the noise has it read, in stretches, each with whether
    /// it is noise; nothing without noise.
    pub reading: Vec<(bool, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// `cpu`, `webgpu`, `vulkan` or `cuda`.
    pub kind: String,
    /// Shown to the user: `CPU`, `WebGPU: NVIDIA …`.
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Built {
    pub config: RunConfig,
    /// Whether the session made it of the model that it had, unasked: a clone that has learned, or one with
    /// other heads.
    pub is_remade: bool,
    /// Steps already trained.
    pub step: usize,
    pub parameters: usize,
    pub vocab_size: usize,
    /// Estimated bytes while training.
    pub training_bytes: u64,
    /// The losses so far, oldest first.
    pub history: Vec<LossPoint>,
    /// A prompt of the task to try.
    pub example_prompt: String,
    /// Prompts that ask for more than was trained.
    pub probes: Vec<Probe>,
    /// The least loss that any model could reach, where it is known.
    pub floor: Option<Floor>,
    /// For plain text, the validation loss of an n-gram model, in nats per character.
    pub baseline: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunState {
    Paused,
    Running,
    /// The run's last step is done.
    Finished,
}

/// Losses after a step, in nats per character.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossPoint {
    pub step: usize,
    pub train_loss: f32,
    pub val_loss: Option<f32>,
}

/// How an evaluation stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// The model's step.
    pub step: usize,
    pub options: EvalOptions,
    /// Records evaluated.
    pub done: usize,
    pub report: Report,
}

/// A field's losses, in nats per character; `None` if it did not occur.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldLoss {
    pub field: Field,
    /// On the step's own records.
    pub train: Option<f32>,
    /// On the held-out ones.
    pub val: Option<f32>,
}

impl FieldLoss {
    /// What is paid beyond the floor, in bits per character: in validation, or in training if the
    /// floor is that of learning by heart.
    pub fn excess_bits(&self, floor: &Floor) -> Option<f64> {
        let least = floor.field(self.field)?.nats_per_char();
        let paid = if floor.by_heart { self.train } else { self.val };
        Some((f64::from(paid?) - least) / std::f64::consts::LN_2)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    pub loss: LossPoint,
    pub steps_per_s: f32,
    pub tokens_per_s: f32,
}

/// One character of a sample, with what else it might have been.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CharacterReport {
    pub picked: String,
    /// Likeliest first, at most [`ALTERNATIVES`]; the probabilities are those at temperature 1.
    pub alternatives: Vec<Alternative>,
    pub cost: Cost,
}

/// What a character cost a model: −ln of its probability, in nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub loss: f32,
    /// What it costs the best of predictors; `None` where the task never writes it, and for a
    /// text whose source is not known.
    pub floor: Option<f32>,
}

/// How many alternatives are told of each character.
pub const ALTERNATIVES: usize = 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    pub token: String,
    pub probability: f32,
    pub logit: f32,
}

/// What one forward pass over the inspected prompt computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    pub step: usize,
    /// The step whose patterns are taken from these, if one is.
    pub against: Option<usize>,
    /// The prompt's tokens; the first ones if it was too long to trace whole.
    pub tokens: Vec<String>,
    /// Tokens of the whole prompt.
    pub prompt_len: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    /// `[layer, head, query, key]`, row by row; each row sums to 1 over keys up to the query.
    pub patterns: Vec<f32>,
}

/// What a model expects after each token of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Likeliest first, at most [`ALTERNATIVES`]: probabilities at the temperature asked for, among
    /// the `top_k` that may be drawn.
    pub next: Vec<Vec<Alternative>>,
    /// What would be drawn with the seed.
    pub drawn: Vec<String>,
    /// Entropy of what may be drawn, in nats.
    pub entropies: Vec<f32>,
    /// For each token but the first, what it cost; nothing up to a record's first character, for
    /// neither it nor a memory token before it is predicted.
    pub costs: Vec<Cost>,
}

impl Trace {
    /// Pattern of one head: `seq × seq`, `[query, key]`.
    pub fn pattern(&self, layer: usize, head: usize) -> &[f32] {
        let size = self.tokens.len() * self.tokens.len();
        let start = (layer * self.n_heads + head) * size;
        &self.patterns[start..start + size]
    }

    /// Mean pattern of a layer's heads: `seq × seq`, `[query, key]`.
    pub fn layer_mean(&self, layer: usize) -> Vec<f32> {
        let mut mean = vec![0.0; self.tokens.len() * self.tokens.len()];
        for head in 0..self.n_heads {
            for (sum, value) in mean.iter_mut().zip(self.pattern(layer, head)) {
                *sum += value / self.n_heads as f32;
            }
        }
        mean
    }
}
