//! Messages between the page and its worker. The terminal exchanges the same messages with a session in its own
//! process.

use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::report::sweep::{Merged, Outcome, Sweeping};
use crate::report::{
    AttentionByType, BenchReport, DistillReport, EvalOptions, ProbeReport, Report,
};
use crate::run::{
    DeviceChoice, DeviceReport, FieldLoss, Floor, Look, Looked, LossPoint, Operation, Probe,
};

/// Options of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleOptions {
    pub prompt: String,
    /// 0 always takes the likeliest character; 2 is the most random.
    pub temperature: f64,
    /// Samples from the `top_k` likeliest characters only; 0 samples from all.
    pub top_k: usize,
    pub seed: u64,
    /// Most characters of a sample, which also ends after `{E}`.
    pub max_chars: usize,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self { prompt: "{B}".into(), temperature: 0.8, top_k: 0, seed: 1, max_chars: 256 }
    }
}

/// Messages from the page to the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Makes a new, untrained model on the device, in place of the current one. Answered with [`Event::Built`] and
    /// [`Event::State`], or [`Event::Refused`].
    Build { config: Box<RunConfig>, device: DeviceChoice },
    /// Makes a new run from the current weights and memories, with other settings. Answered as [`Command::Build`].
    Continue { config: Box<RunConfig> },
    /// Requests the task of `config` and its requirements on a model: [`Event::TaskDescribed`] with the same
    /// `number`.
    DescribeTask { number: usize, config: Box<RunConfig> },
    /// Trains until a pause or the run's last step.
    Train,
    /// Pauses training after the current step.
    Pause,
    /// Trains one step.
    Step,
    /// Streams a sample: [`Event::SampleStarted`], [`Event::Character`]s, [`Event::SampleEnded`].
    Sample(SampleOptions),
    /// Traces the prompt now and during training: [`Event::Trace`] and [`Event::Expected`]. An empty prompt ends
    /// the trace. The same prompt with other options gets new predictions without a forward pass. Unknown
    /// characters are answered with a notice.
    Inspect(SampleOptions),
    /// Inspects from now on the model after `step`, one of [`Event::Kept`], or the current model. Subtracts the
    /// figures of the model `beside`, if there is one.
    Visit { step: Option<usize>, beside: Option<Beside> },
    /// Applies an operation to the model, which then continues training if it did before. Answered with
    /// [`Event::Built`] and a notice of the change, or [`Event::Refused`].
    Surgery(Operation),
    /// Undoes the last operation and all training since: [`Event::Built`], or [`Event::Refused`].
    Undo,
    /// Runs an analysis now and during training: [`Event::Looked`], repeated until it is complete; `None` runs
    /// none.
    Look(Option<Box<Look>>),
    /// Changes the model's memory, but not its weights: [`Event::Remembered`], or a notice of the reason against
    /// it.
    ChangeMemory(MemoryChange),
    /// Evaluates the model, in place of any other job: [`Event::Evaluated`], repeated until all records are done.
    Evaluate(EvalOptions),
    /// Draws `options.records` samples after `prompt`, in place of any other job: [`Event::Probed`], repeated
    /// until all are complete.
    Probe { prompt: String, options: EvalOptions },
    /// Averages attention over `records` records, by the type of the next character: [`Event::AttentionByType`],
    /// repeated until all are included.
    AverageAttention { records: usize },
    /// Trains these runs in sequence and reports the recall of each, in place of any other job:
    /// [`Event::Sweeping`], repeated until all have ended.
    Sweep { runs: Vec<RunConfig>, device: DeviceChoice },
    /// Measures the speed of training and writing for models of these runs' sizes, in place of any other job:
    /// [`Event::Benched`], repeated until all are measured.
    Bench { runs: Vec<RunConfig>, device: DeviceChoice },
    /// Trains a clone of the model with the memory, training settings, noise and seed of `config`, in place of any
    /// other job: [`Event::Distilled`], repeated until all steps are done. The clone then replaces the model:
    /// [`Event::Built`]. Both read `text`, or records of the task without one. Both continue `prompt`, or an
    /// example without one.
    Distill { config: Box<RunConfig>, text: Option<String>, prompt: Option<String> },
    /// Adds to these outcomes of sweeps the new ones in `text`, which is JSON lines, from a `file` if it has a
    /// name: [`Event::OutcomesMerged`].
    MergeOutcomes { outcomes: Vec<Outcome>, text: String, file: Option<String> },
    /// Cancels the current job. A cancelled sweep or benchmark is reported once more.
    StopJob,
    /// Requests the run as a checkpoint file: [`Event::CheckpointFile`].
    SaveCheckpoint,
    /// Continues from a checkpoint file, or imports a model from its files: [`Event::Built`], or
    /// [`Event::Refused`].
    LoadCheckpoint { files: Vec<NamedFile>, device: DeviceChoice },
    /// Continues the autosaved run of [`Event::Resumable`].
    Resume { device: DeviceChoice },
}

/// A change to a model's memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MemoryChange {
    Slots(SlotChange),
    /// Keeps a copy under this name until the session ends.
    PutAside(String),
    /// Replaces the memory with the copy of this name.
    Swap(String),
    /// Teaches the memories a text, with the weights unchanged.
    Teach(String),
}

/// A manual change to the slots of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SlotChange {
    /// Drops slots of a layer: these or, if none are named, all that were written by a text containing
    /// `written_by`.
    Remove { layer: usize, slots: Vec<u64>, written_by: String },
    /// Copies the value of slot `other` to `slot`.
    Like { layer: usize, slot: u64, other: u64 },
    /// Sets the value of a slot.
    Value { layer: usize, slot: u64, value: Vec<f32> },
    /// Drops all slots of all layers.
    Empty,
}

/// A file chosen by the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedFile {
    /// File name without folders.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A model to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beside {
    /// Model of the same run after this step.
    Step(usize),
    /// Final model of an earlier run: an index of [`Event::Kept`].
    Run(usize),
}

/// Messages from the session to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The session is ready for commands. The first event.
    Ready,
    /// An autosaved run of an earlier visit exists.
    Resumable {
        config: Box<RunConfig>,
        step: usize,
    },
    /// Facts of the task, or the reason why it cannot be made.
    TaskDescribed {
        number: usize,
        facts: Result<TaskFacts, String>,
    },
    /// The device in use.
    Device(DeviceReport),
    /// A new or loaded model.
    Built(Box<Built>),
    State(RunState),
    Step(StepReport),
    /// Losses by field, after a step with validation.
    Fields {
        step: usize,
        fields: Vec<FieldLoss>,
    },
    /// A run was not built or loaded; the session is unchanged.
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
    /// Predictions after each token of the traced prompt.
    Expected(Expected),
    /// Steps of the run, and earlier runs by name, that can be inspected.
    Kept {
        steps: Vec<usize>,
        runs: Vec<String>,
    },
    Looked(Box<Looked>),
    /// Contents of the memory: slots by layer, and stored copies.
    Remembered {
        slots: Vec<(usize, usize)>,
        aside: Vec<String>,
    },
    Evaluated(Box<Evaluated>),
    Probed(ProbeReport),
    AttentionByType(Box<AttentionByType>),
    Sweeping(Box<Sweeping>),
    Benched(BenchReport),
    /// Progress of a distillation; 0 steps if it did not begin.
    Distilled(Box<DistillReport>),
    /// Merged outcomes, or the reason why the file was not read.
    OutcomesMerged {
        file: Option<String>,
        merged: Result<Merged, String>,
    },
    CheckpointFile {
        name: String,
        bytes: Vec<u8>,
    },
    /// The run as of `step` was saved in the browser's storage, or in the terminal's file.
    Saved {
        step: usize,
    },
    /// Message for the user, without further effect.
    Notice {
        text: String,
    },
}

/// Requirements of a task on a model, and an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFacts {
    /// Number of distinct characters in its records.
    pub characters: usize,
    /// Length of the longest record, in characters; 2 for plain text, which is cut to any window.
    pub longest: usize,
    /// Beginning of a training record read through noise, in stretches, each with true if it is noise; empty
    /// without noise.
    pub reading: Vec<(bool, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Built {
    pub config: RunConfig,
    /// True if the session made this model from the previous one without a command: a distilled clone, or a model
    /// with other heads.
    pub is_remade: bool,
    /// Steps trained so far.
    pub step: usize,
    pub parameters: usize,
    pub vocab_size: usize,
    /// Estimated bytes of memory in training.
    pub training_bytes: u64,
    /// Losses so far, oldest first.
    pub history: Vec<LossPoint>,
    /// Example prompt of the task.
    pub example_prompt: String,
    /// Prompts that ask for more than the training data holds.
    pub probes: Vec<Probe>,
    /// Least loss that any model can reach, if known.
    pub floor: Option<Floor>,
    /// Validation loss of an n-gram model on plain text, in nats per character.
    pub baseline: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunState {
    Paused,
    Running,
    /// All steps of the run are done.
    Finished,
}

/// State of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Training step of the model.
    pub step: usize,
    pub options: EvalOptions,
    /// Number of records evaluated.
    pub done: usize,
    pub report: Report,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    pub loss: LossPoint,
    pub steps_per_s: f32,
    pub tokens_per_s: f32,
}

/// One character of a sample, with its alternatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CharacterReport {
    pub picked: String,
    /// Likeliest first, at most [`ALTERNATIVES`], with probabilities at temperature 1.
    pub alternatives: Vec<Alternative>,
    pub cost: Cost,
}

/// Loss of a character: −ln of its probability, in nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub loss: f32,
    /// Loss of the best predictor, in nats; `None` if the task never writes the character, and for a text of
    /// unknown source.
    pub floor: Option<f32>,
}

/// Most alternatives reported per character.
pub const ALTERNATIVES: usize = 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    pub token: String,
    pub probability: f32,
    pub logit: f32,
}

/// Attention patterns of one forward pass over the inspected prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    pub step: usize,
    /// Step whose patterns are subtracted from these, if any.
    pub against: Option<usize>,
    /// Tokens of the prompt; only the first ones if it was too long to trace whole.
    pub tokens: Vec<String>,
    /// Number of tokens in the whole prompt.
    pub prompt_len: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    /// `[layer, head, query, key]`, row by row; each row sums to 1 over keys up to the query.
    pub patterns: Vec<f32>,
}

/// Predictions of a model after each token of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Likeliest first, at most [`ALTERNATIVES`]: probabilities at the chosen temperature, among the `top_k`
    /// candidates.
    pub next: Vec<Vec<Alternative>>,
    /// Token sampled with the seed, after each token.
    pub drawn: Vec<String>,
    /// Entropy of the distribution to sample from, in nats.
    pub entropies: Vec<f32>,
    /// Cost of each token but the first. It is empty up to a record's first character, because neither that
    /// character nor a memory token before it is predicted.
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
