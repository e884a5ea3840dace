//! Sizes of a model: parameters, operations, and memory while training.

use super::feed_forward::FeedForward;
use super::layout::declare;
use super::mixer::{Mixer, pattern_row};
use crate::config::{ConfigError, MemoryKind, MemoryLimits, ModelConfig, Positions, RunConfig};

impl ModelConfig {
    /// Number of trained values with a vocabulary of `vocab_size` tokens, or the largest number that the page has. By
    /// default, matrices have
    /// `12·L·d² + V·d + context·d` values (and another `V·d` for an untied head), and LayerNorm gains
    /// `(2·L + 1)·d`.
    pub fn parameters(&self, vocab_size: usize) -> usize {
        declare(self, vocab_size, 0)
    }

    /// Most numbers in the stores of the memory layers and of the output.
    pub fn stored(&self) -> u64 {
        let has = |layer: &usize| self.memory.of(*layer).is_some_and(MemoryKind::is_stored);
        let output = if self.memory.lambda > 0.0 { self.d_model + 1 } else { 0 };
        let layers = (0..self.n_layers).filter(has).count() * 2 * self.d_slot();
        self.memory.slots as u64 * (layers + output) as u64
    }

    /// Number of values in learned position embeddings, which take no part in matrix products.
    pub fn position_parameters(&self) -> usize {
        if self.positions == Positions::Learned { self.context * self.d_model } else { 0 }
    }

    /// Estimated bytes of memory in training with `batch` rows of `context` tokens: parameters, gradients, two
    /// moments, and the activations kept for the backward pass, in 32-bit floats. Each layer keeps about 8 vectors
    /// of `d_model` per token (10 with feedback), and the activations of its mixer and feed-forward layer.
    pub fn training_bytes(&self, vocab_size: usize, batch: usize) -> u64 {
        let tokens = (batch * self.context) as u64;
        let streams = if self.feeds_back() { 10 } else { 8 };
        let kept = |layer: usize| {
            let own = Mixer::of(self, layer).kept(self) + FeedForward::of(self, layer).kept();
            (streams * self.d_model + own) as u64
        };
        let kept: u64 = (0..self.n_layers).map(kept).sum();
        let logits = 4 * tokens * vocab_size as u64;
        // Slots found by a memory, and their weighted sums.
        let found = match self.memory.kind {
            MemoryKind::None => 0,
            _ => 8 * tokens * (self.memory.top_k * self.d_slot()) as u64,
        };
        let found = found * self.n_layers as u64 + 4 * self.stored();
        4 * (found + 4 * self.parameters(vocab_size) as u64 + tokens * kept + logits)
    }

    /// Floating-point operations of training on one token, the last of `seq`: `6 N + 12 L d T`, where `N` counts
    /// the parameters without positions (Chowdhery et al. 2022, "PaLM", appendix B).
    pub fn operations(&self, vocab_size: usize, seq: usize) -> f64 {
        let multiplied = self.parameters(vocab_size) - self.position_parameters();
        let mixing = |layer| Mixer::of(self, layer).operations(self, seq);
        6.0 * multiplied as f64 + (0..self.n_layers).map(mixing).sum::<f64>()
    }

    /// Bytes of the largest single tensor in training. A WebGPU buffer must hold it.
    pub fn largest_tensor_bytes(&self, vocab_size: usize, batch: usize) -> u64 {
        let tokens = (batch * self.context) as u64;
        // A store, with room for as many slots as the next power of two, and the gradients by what was found in it.
        let (store, found) = match self.stored() {
            0 => (0, 0),
            _ => {
                let width = (2 * self.d_slot()).max(self.d_model + 1) as u64;
                let found = (self.memory.top_k + 5) * self.d_slot();
                (self.memory.slots.next_power_of_two() as u64 * width, tokens * found as u64)
            }
        };
        let widest = [
            tokens * pattern_row(self) as u64,
            tokens * self.d_mlp() as u64,
            tokens * 3 * (self.n_heads * self.d_head()) as u64,
            tokens * vocab_size as u64,
            self.parameters(vocab_size) as u64,
            store,
            found,
        ];
        4 * widest.into_iter().max().unwrap_or(0)
    }
}

impl RunConfig {
    /// Checks the estimated memory against the device's limits.
    ///
    /// # Errors
    /// [`ConfigError::Memory`], with the largest batch that fits.
    pub fn validate_room(
        &self,
        vocab_size: usize,
        limits: &MemoryLimits,
    ) -> Result<(), ConfigError> {
        let over = |batch: usize| {
            let total = self.model.training_bytes(vocab_size, batch);
            let single = self.model.largest_tensor_bytes(vocab_size, batch);
            if total > limits.total {
                Some((total, limits.total, "this device is taken to have"))
            } else if single > limits.buffer {
                Some((single, limits.buffer, "a single buffer of this device may hold"))
            } else {
                None
            }
        };
        let Some((needs, has, what)) = over(self.train.batch) else { return Ok(()) };
        let works = (1..self.train.batch).rev().find(|batch| over(*batch).is_none());
        Err(ConfigError::Memory { needs: needs >> 20, has: has >> 20, what, works })
    }
}
