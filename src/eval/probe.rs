//! Repeated samples of a model after one prompt.

use burn::tensor::ExecutionError;

use crate::generate::{Decoder, Shown, Writer, encode_prompt};
use crate::learn::Trainer;
use crate::report::{EvalOptions, ProbeReport, ProbeSample};
use crate::task::Task;
use crate::tokenizer::TokenizeError;

/// Most characters of a sample.
const LONGEST: usize = 96;

/// Samples of one prompt in progress, all with the weights from its start.
pub struct Probing {
    writer: Writer,
    task: Task,
    samples: usize,
    report: ProbeReport,
}

impl Probing {
    /// Prepares `options.records` samples after `prompt`, of the run's model or of what is shown in its place.
    ///
    /// # Errors
    /// If the model does not know a character of the prompt.
    pub fn new(
        trainer: &Trainer,
        shown: Option<Shown>,
        prompt: String,
        options: EvalOptions,
    ) -> Result<Self, TokenizeError> {
        encode_prompt(&trainer.tokenizer, &prompt)?;
        let step = shown.as_ref().map_or(trainer.step, |(step, _)| *step);
        let report = ProbeReport { step, prompt, ..ProbeReport::default() };
        let decoder = Decoder::of(trainer.model(), shown);
        let writer = Writer::with(decoder, &trainer.tokenizer, options);
        let task = trainer.task.clone();
        Ok(Self { writer, task, samples: options.records, report })
    }

    /// Draws one more sample; `false` if none is left.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self) -> Result<bool, ExecutionError> {
        let Self { writer, task, report, .. } = self;
        if report.samples.len() == self.samples {
            return Ok(false);
        }
        let written = writer.write(&report.prompt, "{E}", LONGEST).await?;
        let source = task.source(&report.prompt, first_line(&written.text));
        report.add_entropies(&written.entropies);
        report.samples.push(ProbeSample { text: written.text, source });
        Ok(true)
    }

    /// Samples so far.
    pub fn report(&self) -> &ProbeReport {
        &self.report
    }
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}
