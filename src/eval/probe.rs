//! Repeated samples of a model after one prompt.

use burn::tensor::ExecutionError;

use crate::generate::{Writer, encode_prompt};
use crate::report::{EvalOptions, ProbeReport, ProbeSample};
use crate::task::Task;
use crate::tokenizer::TokenizeError;
use crate::learn::Trainer;

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
    /// Prepares `options.records` samples after `prompt`.
    ///
    /// # Errors
    /// If the model does not know a character of the prompt.
    pub fn new(
        trainer: &Trainer,
        prompt: String,
        options: EvalOptions,
    ) -> Result<Self, TokenizeError> {
        encode_prompt(&trainer.tokenizer, &prompt)?;
        let report = ProbeReport { step: trainer.step, prompt, ..ProbeReport::default() };
        let writer = Writer::new(trainer.model(), &trainer.tokenizer, options);
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
