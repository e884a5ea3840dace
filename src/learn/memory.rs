//! Learning of a model's memories from a batch.

use burn::tensor::{ExecutionError, Gradients, Tensor};

use super::Learner;
use crate::config::MemoryConfig;
use crate::data::Batch;
use crate::memory::Tokens;
use crate::model::memory::LayerRead;
use crate::tokenizer::Tokenizer;

/// Reads and tokens of a batch, for memories to learn from.
pub(super) struct Learned {
    /// Each memory layer's, and the gradient by the values it found.
    reads: Vec<(usize, LayerRead, Option<Tensor<2>>)>,
    /// Each token, and what is to follow it.
    ids: Vec<(u32, Option<u32>)>,
    seq: usize,
}

impl Learned {
    /// `None` of a model without memories, and of a batch without tokens, which no slot could be told by.
    pub(super) fn new(
        reads: Vec<(usize, LayerRead)>,
        mut gradients: Gradients,
        batch: &Batch,
    ) -> Option<Self> {
        if reads.is_empty() || batch.ids.is_empty() {
            return None;
        }
        let with_gradient = |(layer, read): (usize, LayerRead)| {
            let trained = read.trained.as_ref();
            let gradient = trained.and_then(|values| values.grad_remove(&mut gradients));
            (layer, read, gradient)
        };
        let reads = reads.into_iter().map(with_gradient).collect();
        let ids = batch.ids.iter().zip(&batch.fields);
        let ids = ids.map(|((id, next), field)| (*id, field.map(|_| *next))).collect();
        Some(Self { reads, ids, seq: batch.inputs.dims()[1] })
    }

    /// The batch's tokens, as stores know them.
    pub(super) fn tokens(&self, tokenizer: &Tokenizer, step: u64, is_taught: bool) -> Tokens {
        let text = |id: u32| tokenizer.token(id).unwrap_or("�").to_owned();
        Tokens {
            step,
            is_taught,
            seq: self.seq,
            read: self.ids.iter().map(|(id, _)| text(*id)).collect(),
            next: self.ids.iter().map(|(_, next)| next.map(text)).collect(),
        }
    }
}

impl Learner {
    /// Changes the memories by what a batch read.
    ///
    /// # Errors
    /// If the device failed.
    pub(super) async fn learn(
        &mut self,
        learned: Learned,
        tokens: &Tokens,
        memory: &MemoryConfig,
        rate: f64,
    ) -> Result<(), ExecutionError> {
        let Learned { reads, ids, .. } = learned;
        let next: Vec<Option<u32>> = ids.iter().map(|(_, next)| *next).collect();
        for (layer, read, gradient) in reads {
            let gradient = gradient.map(|gradient| (gradient, rate as f32));
            let (found, read) = read.read(gradient).await?;
            // Values that are not finite are not written; the loss shows them.
            let _ = match layer == self.model.config.n_layers {
                true => self.model.bank.learn_next(memory, tokens, &next, found, read.keys),
                false => self.model.bank.learn(layer, memory, tokens, &found, &read),
            };
        }
        Ok(())
    }
}
