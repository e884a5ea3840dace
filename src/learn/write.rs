//! Changes that a step leaves in a model's memories.

use burn::tensor::ExecutionError;

use super::Learner;
use super::memory::Learned;
use crate::config::MemoryConfig;
use crate::memory::Tokens;
use crate::model::memory::LayerRead;

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
        let (layers, reads): (Vec<_>, Vec<_>) =
            reads.into_iter().map(|(layer, read, gradient)| (layer, (read, gradient))).unzip();
        let reads = LayerRead::read_all(reads, rate as f32).await?;
        for (layer, (found, read)) in layers.into_iter().zip(reads) {
            // Values that are not finite are not written; the loss shows them.
            let _ = match layer == self.model.config.n_layers {
                true => self.model.bank.learn_next(memory, tokens, &next, found, read.keys),
                false => self.model.bank.learn(layer, memory, tokens, &found, &read),
            };
        }
        Ok(())
    }
}
