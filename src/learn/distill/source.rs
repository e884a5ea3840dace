//! Batches for teacher and clone: records of the teacher's task, or windows of a text.

use burn::tensor::Device;
use rand::RngExt;

use super::DistillError;
use crate::data::{Batch, Row};
use crate::base::random::stream_rng;
use crate::learn::{BatchSource, TaskSource, Trainer};

pub(super) enum Source {
    Task,
    /// Its tokens, without those of memory.
    Text(Vec<u32>),
}

impl Source {
    /// The text if there is one, else what the task of `run` draws.
    ///
    /// # Errors
    /// If there is neither, or nothing in the text that the run's model could predict.
    pub(super) fn new(run: &Trainer, text: Option<&str>) -> Result<Self, DistillError> {
        match text {
            None if run.task.is_none() => Err(DistillError::NoText),
            None => Ok(Self::Task),
            Some(text) => match run.tokenizer.tokenize(text)? {
                ids if ids.len() < 2 => Err(DistillError::ShortText(ids.len())),
                ids => Ok(Self::Text(ids)),
            },
        }
    }

    /// Something to write on from.
    pub(super) fn prompt(&self, run: &Trainer) -> String {
        match self {
            Self::Task => run.task.example_prompt(run.config.seed),
            Self::Text(ids) => {
                let room = run.config.model.context.saturating_sub(run.tokenizer.memory_tokens());
                let limit = PROMPT_TOKENS.min(room / 2);
                run.tokenizer.decode(&ids[..limit.min(ids.len())])
            }
        }
    }
}

impl BatchSource for Source {
    fn draw(&self, run: TaskSource, stream: u64, device: &Device) -> Batch {
        let Self::Text(ids) = self else { return run.draw_training(stream, device) };
        let (batch, context) = (run.config.train.batch, run.config.model.context);
        let window = ids.len().min((context + 1).saturating_sub(run.tokenizer.memory_tokens()));
        let mut rng = stream_rng(run.config.seed, stream);
        let mut row = || {
            let start = rng.random_range(0..=(ids.len() - window) as u32) as usize;
            Row::of_text(&ids[start..start + window], run.tokenizer)
        };
        let rows: Vec<Row> = (0..batch).map(|_| row()).collect();
        Batch::new(&rows, context, device)
    }
}

const PROMPT_TOKENS: usize = 16;
