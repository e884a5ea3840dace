//! Teaching: a text that memories learn, the weights staying as they are.

use burn::tensor::ExecutionError;

use super::memory::Learned;
use super::{Likelihood, Trainer};
use crate::config::MemoryConfig;
use crate::data::{Batch, Row};
use crate::kernel::dropout::Dropout;
use crate::tokenizer::TokenizeError;

/// A text that is taught is read at most so often, until it costs this much, in nats per character; values
/// move this far, in root mean square.
const TEACHING_STEPS: usize = 60;
const TAUGHT: f32 = 0.05;
const TEACHING_RATE: f64 = 0.05;

/// Reason for which a text was not taught.
#[derive(Debug, thiserror::Error)]
pub enum TeachError {
    #[error(transparent)]
    Unknown(#[from] TokenizeError),
    #[error("the text has {got} characters, and {min} to {max} can be taught")]
    Length { got: usize, min: usize, max: usize },
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
}

impl Trainer {
    /// Teaches the memories `text`, the weights staying as they are, and tells what it then costs, in nats
    /// per character. Every token is written down, however near another slot is.
    ///
    /// # Errors
    /// If it has characters that the model does not know, is too short or too long, or the device failed.
    pub async fn teach(&mut self, text: &str) -> Result<f32, TeachError> {
        let ids = self.tokenizer.tokenize(text)?;
        let room = self.config.model.context + 1;
        let (min, max) = (2, room.saturating_sub(self.tokenizer.memory_tokens()));
        if ids.len() < min || ids.len() > max {
            return Err(TeachError::Length { got: ids.len(), min, max });
        }
        let row = Row::of_text(&ids, &self.tokenizer);
        let memory =
            MemoryConfig { write_threshold: 0.0, max_writes: max, ..self.config.model.memory.clone() };
        let objective = Likelihood::default();
        let mut last = f32::INFINITY;
        for pass in 0..TEACHING_STEPS {
            let device = self.device().autodiff();
            let batch = Batch::new(std::slice::from_ref(&row), self.config.model.context, &device);
            let mut training = self.learner.pass().frozen(true);
            let loss = training.forward(&batch, &objective, Dropout::NONE, 1.0);
            let gradients = training.backward(&loss);
            let reads = loss.reads;
            last = loss.figures.into_scalar_async::<f32>().await?;
            // Where no values are trained, a layer has the whole text once those before it have: to read it again
            // would only write it down again.
            let is_trained = reads.iter().any(|(_, read)| read.trained.is_some());
            if last < TAUGHT || !is_trained && pass >= reads.len() {
                break;
            }
            let learned = Learned::new(reads, gradients, &batch);
            if let Some(learned) = learned {
                let tokens = learned.tokens(&self.tokenizer, self.step as u64, true);
                self.learner.learn(learned, &tokens, &memory, TEACHING_RATE).await?;
            }
        }
        Ok(last)
    }
}
