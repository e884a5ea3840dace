//! Jobs: work of many pieces, requested by name, with options and reports of its own.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::report::sweep::Sweeping;
use crate::report::{
    AttentionByType, BenchReport, DistillReport, EvalOptions, Evaluated, ProbeReport,
};
use crate::run::DeviceChoice;

/// A kind of job.
pub trait JobKind {
    const NAME: &'static str;
    type Options: Serialize + DeserializeOwned;
    type Report: Serialize + DeserializeOwned;
}

/// A request for a job: its name, and its options as postcard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRequest {
    pub name: String,
    options: Vec<u8>,
}

impl JobRequest {
    /// # Errors
    /// If the options cannot be written.
    pub fn new<J: JobKind>(options: &J::Options) -> Result<Self, postcard::Error> {
        Ok(Self { name: J::NAME.into(), options: postcard::to_allocvec(options)? })
    }

    /// # Errors
    /// If the options are not those of a `J`.
    pub fn options<J: JobKind>(&self) -> Result<J::Options, postcard::Error> {
        postcard::from_bytes(&self.options)
    }
}

/// The progress of a job: its name, and its report as postcard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobReport {
    pub name: String,
    report: Vec<u8>,
}

impl JobReport {
    /// # Errors
    /// If the report cannot be written.
    pub fn new<J: JobKind>(report: &J::Report) -> Result<Self, postcard::Error> {
        Ok(Self { name: J::NAME.into(), report: postcard::to_allocvec(report)? })
    }

    /// The report, if it is of a `J`.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn of<J: JobKind>(&self) -> Result<Option<J::Report>, postcard::Error> {
        if self.name == J::NAME { postcard::from_bytes(&self.report).map(Some) } else { Ok(None) }
    }
}

/// Evaluates the model on records of its task.
pub struct Evaluate;

impl JobKind for Evaluate {
    const NAME: &'static str = "evaluate";
    type Options = EvalOptions;
    type Report = Evaluated;
}

/// Draws samples after a prompt.
pub struct Probe;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeOptions {
    pub prompt: String,
    /// `records` is the number of samples.
    pub options: EvalOptions,
}

impl JobKind for Probe {
    const NAME: &'static str = "probe";
    type Options = ProbeOptions;
    type Report = ProbeReport;
}

/// Averages attention over records, by the type of the next character. The option is the number of records.
pub struct AverageAttention;

impl JobKind for AverageAttention {
    const NAME: &'static str = "average-attention";
    type Options = usize;
    type Report = AttentionByType;
}

/// Runs to train or to measure, and the device for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunsOptions {
    pub runs: Vec<RunConfig>,
    pub device: DeviceChoice,
}

/// Trains runs in sequence and reports the recall of each.
pub struct Sweep;

impl JobKind for Sweep {
    const NAME: &'static str = "sweep";
    type Options = RunsOptions;
    type Report = Sweeping;
}

/// Measures the speed of training and writing for models of the runs' sizes.
pub struct Bench;

impl JobKind for Bench {
    const NAME: &'static str = "bench";
    type Options = RunsOptions;
    type Report = BenchReport;
}

/// Trains a clone of the model that has memories. The clone then replaces the model: [`Event::Built`].
///
/// [`Event::Built`]: super::Event::Built
pub struct Distill;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistillOptions {
    /// The clone's memory, training settings, noise and seed.
    pub config: RunConfig,
    /// Text that both models read; `None` is records of the task.
    pub text: Option<String>,
    /// Prompt that both models continue; `None` is an example.
    pub prompt: Option<String>,
}

impl JobKind for Distill {
    const NAME: &'static str = "distill";
    type Options = DistillOptions;
    type Report = DistillReport;
}
