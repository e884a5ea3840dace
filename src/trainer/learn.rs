//! What memories learn: from a step's batch, and from a text that they are taught.

use burn::tensor::{ExecutionError, Gradients, Tensor};

use super::Trainer;
use crate::batch::{Batch, Row};
use crate::config::MemoryConfig;
use crate::kernel::dropout::Dropout;
use crate::loss::{mean_loss, token_losses};
use crate::memory::Tokens;
use crate::model::gpt::Output;
use crate::model::memory::LayerRead;
use crate::model::{Gpt, Weights};
use crate::task::Field;
use crate::tokenizer::UnknownCharacter;

/// A text that is taught is read at most so often, until it costs this much, in nats per character; values
/// move this far, in root mean square.
const TEACHING_STEPS: usize = 60;
const TAUGHT: f32 = 0.05;
const TEACHING_RATE: f64 = 0.05;

/// Why a text was not taught.
#[derive(Debug, thiserror::Error)]
pub enum TeachError {
    #[error(transparent)]
    Unknown(#[from] UnknownCharacter),
    #[error("the text has {got} characters, and {least} to {most} can be taught")]
    Length { got: usize, least: usize, most: usize },
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
}

/// What memories learn from a batch.
pub(crate) struct Learned {
    /// Each memory layer's, and the gradient by the values it found.
    reads: Vec<(usize, LayerRead, Option<Tensor<2>>)>,
    /// Each token, and what is to follow it.
    ids: Vec<(u32, Option<u32>)>,
    seq: usize,
}

impl Learned {
    /// `None` of a model without memories.
    pub(crate) fn new(
        reads: Vec<(usize, LayerRead)>,
        mut gradients: Gradients,
        seq: usize,
        ids: Vec<(u32, u32)>,
        fields: &[Option<Field>],
    ) -> Option<Self> {
        if reads.is_empty() {
            return None;
        }
        let with_gradient = |(layer, read): (usize, LayerRead)| {
            let trained = read.trained.as_ref();
            let gradient = trained.and_then(|values| values.grad_remove(&mut gradients));
            (layer, read, gradient)
        };
        let reads = reads.into_iter().map(with_gradient).collect();
        let ids = ids.into_iter().zip(fields);
        let ids = ids.map(|((id, next), field)| (id, field.map(|_| next))).collect();
        Some(Self { reads, ids, seq })
    }
}

impl Trainer {
    /// Has the memories learn from what a batch read.
    pub(crate) async fn learn(
        &mut self,
        learned: Learned,
        lr: f64,
        memory: &MemoryConfig,
        is_taught: bool,
    ) -> Result<(), ExecutionError> {
        let Learned { reads, ids, seq } = learned;
        let text = |id: u32| self.tokenizer.token(id).unwrap_or("�").to_owned();
        let tokens = Tokens {
            step: self.step as u64,
            is_taught,
            seq,
            read: ids.iter().map(|(id, _)| text(*id)).collect(),
            next: ids.iter().map(|(_, next)| next.map(text)).collect(),
        };
        let next: Vec<Option<u32>> = ids.iter().map(|(_, next)| *next).collect();
        for (layer, read, gradient) in reads {
            let gradient = gradient.map(|gradient| (gradient, lr as f32));
            let (found, read) = read.read(gradient).await?;
            // What is not finite is not written down; the loss tells of it.
            let _ = match layer == self.config.model.n_layers {
                true => self.bank.learn_next(memory, &tokens, &next, found, read.keys),
                false => self.bank.learn(layer, memory, &tokens, &found, &read),
            };
        }
        Ok(())
    }

    /// Has the memories learn `text`, the weights staying as they are, and tells what it then costs, in nats
    /// per character. Every token is written down, however near another slot is.
    ///
    /// # Errors
    /// If it has characters that the model does not know, is too short or too long, or the device failed.
    pub async fn teach(&mut self, text: &str) -> Result<f32, TeachError> {
        let ids = self.tokenizer.cut(text)?;
        let room = self.config.model.context + 1;
        let (least, most) = (2, room.saturating_sub(self.tokenizer.memory_tokens()));
        if ids.len() < least || ids.len() > most {
            return Err(TeachError::Length { got: ids.len(), least, most });
        }
        let row = Row::of_text(&ids, &self.tokenizer);
        let memory =
            MemoryConfig { threshold: 0.0, inserts: most, ..self.config.model.memory.clone() };
        let mut last = f32::INFINITY;
        for pass in 0..TEACHING_STEPS {
            let device = self.device.clone().autodiff();
            let batch = Batch::new(std::slice::from_ref(&row), self.config.model.context, &device);
            let [_, seq] = batch.tokens.dims();
            let mut weights = Weights::trainable(&self.layout, &self.parameters);
            let model = Gpt::new(&self.config.model, &weights).remember(&self.bank, &self.device);
            let model = model.note();
            let Output { logits, reads, .. } =
                model.forward_training(batch.tokens, None, Dropout::NONE);
            let loss = mean_loss(token_losses(logits, batch.targets), batch.weights, 1.0);
            let gradients = weights.backward(&loss);
            last = loss.inner().into_scalar_async::<f32>().await?;
            // Where no values are trained, a layer has the whole text once those before it have: to read it again
            // would only write it down again.
            let is_trained = reads.iter().any(|(_, read)| read.trained.is_some());
            if last < TAUGHT || !is_trained && pass >= reads.len() {
                break;
            }
            let learned = Learned::new(reads, gradients, seq, batch.ids, &batch.fields);
            if let Some(learned) = learned {
                self.learn(learned, TEACHING_RATE, &memory, true).await?;
            }
        }
        Ok(last)
    }
}
