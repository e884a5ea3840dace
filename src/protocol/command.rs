//! Messages from the page to the session.

use serde::{Deserialize, Serialize};

use super::{Film, JobRequest, MemoryChange, SampleOptions};
use crate::config::RunConfig;
use crate::report::sweep::Outcome;
use crate::run::{AnalysisRequest, DeviceChoice, Intervention, Operation, Packed};

/// First action of a run once it is built.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Then {
    Wait,
    Train,
    Step,
}

/// Messages from the page to the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Makes a new, untrained model on the device, in place of the current one. Answered with `Event::Built` and
    /// `Event::State`, or `Event::Refused`; the current run then stays as it is, and nothing is trained.
    Build { config: Box<RunConfig>, device: DeviceChoice, then: Then },
    /// Goes on with the current run to another last step, or on another device. Answered as [`Command::Build`].
    GoOn { steps: usize, device: DeviceChoice, then: Then },
    /// Makes a new run from the current weights and memories, with other settings. Answered as [`Command::Build`].
    Continue { config: Box<RunConfig>, then: Then },
    /// Requests the task of `config` and its requirements on a model: `Event::TaskDescribed` with the same
    /// `number`.
    DescribeTask { number: usize, config: Box<RunConfig> },
    /// Trains until a pause or the run's last step.
    Train,
    /// Pauses training after the current step.
    Pause,
    /// Trains one step.
    Step,
    /// Streams a sample: `Event::SampleStarted`, `Event::Character`, `Event::SampleEnded`.
    Sample(SampleOptions),
    /// Traces the prompt now and during training: `Event::Trace` and `Event::Expected`. An empty prompt ends
    /// the trace. The same prompt with other options gets new predictions without a forward pass. Unknown
    /// characters are answered with a notice.
    Inspect(SampleOptions),
    /// Asks these questions of the task, by their numbers, now and during training: `Event::Answered` for each, or nothing
    /// for a task without answers. In place of those asked before.
    Ask(Vec<u64>),
    /// Inspects from now on the model after `step`, one of `Event::Kept`, or the current model. Compares it with the
    /// model `baseline`, if there is one.
    Visit { step: Option<usize>, baseline: Option<Baseline> },
    /// Applies these interventions, and no others, to the inspected model: to its samples, traces, analyses and jobs.
    /// Answered with `Event::Ablated`, and with a notice if one does not fit the model: then nothing changes.
    Ablate(Vec<Intervention>),
    /// Applies an operation to the model, which then continues training if it did before. Answered with
    /// `Event::Built` and a notice of the change, or `Event::Refused`.
    Surgery(Operation),
    /// Undoes the last operation and all training since: `Event::Built`, or `Event::Refused`.
    Undo,
    /// Runs an analysis now and during training: `Event::Analysed`, repeated until it is complete; `None` runs
    /// none.
    Analyse(Option<Box<AnalysisRequest>>),
    /// Changes the model's memory, but not its weights: `Event::Remembered`, or a notice of the reason against
    /// it.
    ChangeMemory(MemoryChange),
    /// Starts a job, in place of any other: `Event::Job`, repeated until all its pieces are done, or a notice and
    /// `Event::JobRefused`.
    StartJob(JobRequest),
    /// Adds to these outcomes of sweeps the new ones in `text`, which is JSON lines, from a `file` if it has a
    /// name: `Event::OutcomesMerged`.
    MergeOutcomes { outcomes: Vec<Outcome>, text: String, file: Option<String> },
    /// Cancels the current job. One whose results are kept is reported once more.
    StopJob,
    /// Requests the run as a file: `Event::CheckpointFile`.
    Save(SaveAs),
    /// Requests the weights as text: `Event::Packed`.
    Pack,
    /// Continues from the weights of a link: `Event::Built`, or `Event::Refused`.
    Unpack { config: Box<RunConfig>, weights: Packed, device: DeviceChoice },
    /// Makes one file of many pictures: `Event::Film` once it is finished, or as soon as it cannot be made.
    Film(Film),
    /// Continues from a checkpoint file, or imports a model from its files: `Event::Built`, or
    /// `Event::Refused`.
    LoadCheckpoint { files: Vec<NamedFile>, device: DeviceChoice },
    /// Continues a run of `Event::Resumable` or `Event::KeptRuns`: `Event::Built`, or `Event::Refused`.
    OpenRun { id: String, device: DeviceChoice },
    /// Trains on the CPU with so many workers at once; `None` takes as many as are measured to be fastest.
    Workers(Option<usize>),
    /// Deletes a run of `Event::KeptRuns`, which is then sent anew.
    DeleteRun { id: String },
}

/// Form of a file that a run is saved as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaveAs {
    /// A checkpoint of Confab.
    Checkpoint,
    /// A zip of the files that Hugging Face's transformers read.
    HuggingFace,
    /// The same zip, and a notebook that computes in TransformerLens what the page shows for this prompt.
    Notebook { prompt: String },
    /// A zip of the files that nanoGPT reads.
    NanoGpt,
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
pub enum Baseline {
    /// Model of the same run after this step.
    Step(usize),
    /// Final model of an earlier run: an index of `Event::Kept`.
    Run(usize),
}
