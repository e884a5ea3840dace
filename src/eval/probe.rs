//! What a model writes after a prompt, again and again.

use burn::tensor::ExecutionError;

use super::Writer;
use crate::report::{EvalOptions, ProbeReport, ProbeSample};
use crate::task::Task;
use crate::tokenizer::UnknownCharacter;
use crate::trainer::Trainer;

/// Characters after which a sample is broken off.
const LONGEST: usize = 96;

/// Samples of one prompt under way, all by the weights that the model had at first.
pub struct Probing {
    writer: Writer,
    task: Task,
    samples: usize,
    report: ProbeReport,
}

impl Probing {
    /// `options.records` samples after `prompt`.
    ///
    /// # Errors
    /// A character of the prompt that the model does not know.
    pub fn new(
        trainer: &Trainer,
        prompt: String,
        options: EvalOptions,
    ) -> Result<Self, UnknownCharacter> {
        trainer.tokenizer.encode(&prompt)?;
        let report = ProbeReport { step: trainer.step, prompt, ..ProbeReport::default() };
        let (writer, task) = (Writer::new(trainer, options), trainer.task.clone());
        Ok(Self { writer, task, samples: options.records, report })
    }

    /// Draws one more sample; `false` if all were drawn.
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

    /// What was drawn so far.
    pub fn report(&self) -> &ProbeReport {
        &self.report
    }
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}
