//! How well a model answers, record by record.

mod facts;
mod phone;
mod probe;
mod sweep;

use burn::tensor::ExecutionError;
use rand_chacha::ChaCha8Rng;

use crate::decode::Decoder;
use crate::protocol::Evaluated;
use crate::report::{EvalOptions, MAX_RECORDS, Report};
use crate::sample::{encode_prompt, entropy, pick, surprisal};
use crate::task::{Task, record_rng};
use crate::tokenizer::Tokenizer;
use crate::trainer::Trainer;

pub use probe::Probing;
pub use sweep::{Sweep, SweepRun};

/// An evaluation under way. It keeps the weights it began with, whatever training does meanwhile.
pub struct Evaluation {
    writer: Writer,
    task: Task,
    options: EvalOptions,
    /// The model's step.
    step: usize,
    report: Report,
    done: usize,
}

/// Why a model is not evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    #[error("only the tasks phone and facts say which answers are right")]
    Task,
}

impl Evaluation {
    /// # Errors
    /// If the run's task is neither `phone` nor `facts`.
    pub fn new(trainer: &Trainer, mut options: EvalOptions) -> Result<Self, EvalError> {
        let report = match &trainer.task {
            Task::Phone(task) => Report::Phone(phone::empty(task)),
            Task::Facts(_) => Report::Facts(Default::default()),
            _ => return Err(EvalError::Task),
        };
        options.records = options.records.clamp(1, MAX_RECORDS);
        let writer = Writer::new(trainer, options);
        let (task, step) = (trainer.task.clone(), trainer.step);
        Ok(Self { writer, task, options, step, report, done: 0 })
    }

    /// Evaluates one more record; `false` if all were.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn next(&mut self) -> Result<bool, ExecutionError> {
        if self.done == self.options.records {
            return Ok(false);
        }
        let mut rng = record_rng(self.options.seed, self.done as u64);
        match (&self.task, &mut self.report) {
            (Task::Phone(task), Report::Phone(report)) => {
                phone::score(report, task, &mut self.writer, &mut rng).await?;
                if self.done == 0 && self.options.temperature > 0.0 {
                    phone::repeat(report, task, &mut self.writer, &mut rng).await?;
                }
            }
            (Task::Facts(task), Report::Facts(report)) => {
                facts::score(report, task, self.done, &mut self.writer, &mut rng).await?;
            }
            _ => unreachable!("the report is made for the task"),
        }
        self.done += 1;
        Ok(true)
    }

    /// How it stands.
    pub fn standing(&self) -> Evaluated {
        let Self { step, options, done, .. } = *self;
        Evaluated { step, options, done, report: self.report.clone() }
    }
}

/// What the model wrote, and the probability it gave to each character at temperature 1.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) text: String,
    confidences: Vec<f64>,
    /// Of what the model held possible in each character's place, at temperature 1, in nats.
    entropies: Vec<f64>,
}

/// Writes on from prompts.
pub(crate) struct Writer {
    decoder: Decoder,
    tokenizer: Tokenizer,
    context: usize,
    temperature: f64,
    rng: ChaCha8Rng,
}

impl Writer {
    pub(crate) fn new(trainer: &Trainer, options: EvalOptions) -> Self {
        Self {
            decoder: Decoder::new(trainer),
            tokenizer: trainer.tokenizer.clone(),
            context: trainer.config.model.context,
            temperature: options.temperature,
            rng: record_rng(options.seed, WRITER_STREAM),
        }
    }

    /// What follows `prompt`, up to and with `stop`; at most `most` characters, and no more than
    /// the context has room for.
    pub(crate) async fn write(
        &mut self,
        prompt: &str,
        stop: &str,
        most: usize,
    ) -> Result<Written, ExecutionError> {
        let ids = encode_prompt(&self.tokenizer, prompt);
        let mut ids = ids.unwrap_or_else(|_| self.tokenizer.after_memory(&[0]));
        self.decoder.restart();
        let mut written = Written::default();
        let room = self.context.saturating_sub(ids.len());
        while written.confidences.len() < most.min(room) && !written.text.ends_with(stop) {
            let logits = self.decoder.decode(&ids).await?;
            let may_follow = &logits[..self.tokenizer.text_size()];
            let id = pick(may_follow, self.temperature, 0, &mut self.rng);
            written.confidences.push(f64::from(-surprisal(&logits, id)).exp());
            written.entropies.push(entropy(&logits));
            written.text.extend(self.tokenizer.token(id as u32));
            ids = vec![id as u32];
        }
        Ok(written)
    }
}

const WRITER_STREAM: u64 = u64::MAX - 1;
