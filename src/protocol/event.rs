//! Messages from the session to the page.

use serde::{Deserialize, Serialize};

use super::{Answer, CharacterReport, Expected, JobReport, NamedFile, SampleOptions, Trace};
use crate::config::RunConfig;
use crate::report::sweep::Merged;
use crate::report::{CodecPoint, Mapped};
use crate::run::{
    AnalysisResult, Catalogue, DeviceReport, FieldLoss, Floor, Intervention, LossPoint, Packed,
    Probe, Reference,
};

/// Messages from the session to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The session is ready for commands, and what it offers. The first event.
    Ready(Catalogue),
    /// An autosaved run of an earlier visit exists.
    Resumable {
        id: String,
        config: Box<RunConfig>,
        step: usize,
    },
    /// The runs in the browser's storage, the one saved last at the end: at the start, and after one was deleted.
    KeptRuns(Vec<KeptRun>),
    /// Facts of the task, or the reason why it cannot be made.
    TaskDescribed {
        number: usize,
        facts: Result<TaskFacts, String>,
    },
    /// So many workers train from now on, because a helper stopped.
    Workers(usize),
    /// The device in use.
    Device(DeviceReport),
    /// A new or loaded model, or noise codec.
    Built(Box<Built>),
    State(RunState),
    Step(StepReport),
    /// Progress of a noise codec at a validation; of one that is built or loaded, at all of them.
    Codec(Vec<CodecPoint>),
    /// Losses by field, after a step with validation.
    Fields {
        step: usize,
        fields: Vec<FieldLoss>,
    },
    /// A run was not built or loaded; the session is unchanged.
    Refused {
        reason: String,
    },
    SampleStarted(SampleOptions),
    Character(CharacterReport),
    SampleEnded {
        text: String,
    },
    Trace(Trace),
    /// The prompt has a character that the model does not know, so there is no trace of it.
    Untraced,
    /// Predictions after each token of the traced prompt.
    Expected(Expected),
    /// Answer to a question of the task, with its number.
    Answered {
        number: u64,
        answer: Box<Answer>,
    },
    /// Steps of the run, and earlier runs by name, that can be inspected.
    Kept {
        steps: Vec<usize>,
        runs: Vec<String>,
    },
    /// The interventions on the inspected model.
    Ablated(Vec<Intervention>),
    Analysed(Box<AnalysisResult>),
    /// Contents of the memory: slots by layer, and stored copies.
    Remembered {
        slots: Vec<(usize, usize)>,
        aside: Vec<String>,
    },
    /// Progress of the current job.
    Job(JobReport),
    /// The job of this name did not start; a notice says why.
    JobRefused {
        name: String,
    },
    /// Merged outcomes, or the reason why the file was not read.
    OutcomesMerged {
        file: Option<String>,
        merged: Result<Merged, String>,
    },
    /// The settings and the weights of the run, or the reason why they do not travel in a link.
    Packed(Result<Box<(RunConfig, Packed)>, String>),
    CheckpointFile {
        name: String,
        bytes: Vec<u8>,
    },
    /// The file of a film, or the reason why there is none.
    Film(Result<NamedFile, String>),
    /// The run as of `step` was saved in the browser's storage, or in the terminal's file. There, the runs `removed` had
    /// to make room.
    Saved {
        step: usize,
        removed: Vec<String>,
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

/// A run that is kept from visit to visit, as it was last saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptRun {
    pub id: String,
    pub step: usize,
    /// Its settings, without a text.
    pub config: RunConfig,
    /// Losses, oldest first.
    pub history: Vec<LossPoint>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Built {
    pub config: RunConfig,
    /// Name of the run in the browser's storage.
    pub id: String,
    /// True if the session made this model from the previous one without a command: a distilled clone, or a model
    /// with other heads.
    pub is_remade: bool,
    /// Steps trained so far.
    pub step: usize,
    /// None of a noise codec, whose tables grow.
    pub parameters: usize,
    pub vocab_size: usize,
    /// True if text becomes other tokens here than it may at the terminal.
    pub is_approximate: bool,
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
    /// A loss to compare with where no floor is known.
    pub reference: Option<Reference>,
    /// Score of the likeliest outputs of held-out records; `None` where records map nothing, or their source is not
    /// known.
    pub likeliest: Option<Mapped>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunState {
    Paused,
    Running,
    /// All steps of the run are done.
    Finished,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    pub loss: LossPoint,
    /// Validation loss in bits per byte, at a validation.
    pub bits_per_byte: Option<f32>,
    pub steps_per_s: f32,
    pub tokens_per_s: f32,
    /// Workers that took the step at once.
    pub workers: usize,
}
