//! Sizes of a model: parameters, operations, and memory while training.

use super::feed_forward::FeedForward;
use super::layout::declare;
use super::mixer::Mixer;
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

    /// Floating-point operations of training on one token, the last of `seq`: `6 N + 12 L d T`, where `N` counts
    /// the parameters without positions (Chowdhery et al. 2022, "PaLM", appendix B).
    pub fn operations(&self, vocab_size: usize, seq: usize) -> f64 {
        let multiplied = self.parameters(vocab_size) - self.position_parameters();
        let mixing = |layer| Mixer::of(self, layer).operations(self, seq);
        6.0 * multiplied as f64 + (0..self.n_layers).map(mixing).sum::<f64>()
    }

    /// Bytes of what decoding keeps of `tokens` tokens, in 32-bit floats.
    pub fn state_bytes(&self, tokens: usize) -> usize {
        4 * (0..self.n_layers)
            .map(|layer| Mixer::of(self, layer).state(self, tokens))
            .sum::<usize>()
    }

    /// Bytes of the largest single tensor in training, with at most `predictions` in `batch` rows. A WebGPU buffer must hold it.
    fn largest_tensor_bytes(&self, vocab_size: usize, batch: usize, predictions: u64) -> u64 {
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
            tokens * self.d_mlp() as u64,
            tokens * 3 * (self.n_heads * self.d_head()) as u64,
            predictions * vocab_size as u64,
            self.parameters(vocab_size) as u64,
            store,
            found,
        ];
        4 * widest.into_iter().max().unwrap_or(0)
    }
}

impl RunConfig {
    /// Estimated bytes of memory in training with `batch` rows of the longest context, in 32-bit floats, where so many `passes`
    /// are made at once.
    ///
    /// Held are the parameters, two moments and a mask of what decays; in a pass, a copy of the parameters, their gradients and the
    /// vector of these, which may wait for another's; while the run is saved, copies of three and their file. Of every token, a
    /// layer keeps four vectors of `d_model` (six with feedback), and the activations of its mixer and feed-forward layer; those
    /// of one layer more are at work.
    pub fn training_bytes(&self, vocab_size: usize, batch: usize, passes: usize) -> u64 {
        let model = &self.model;
        let vectors = match self.train.lora.rank {
            0 => 4 + (4 * passes).max(7),
            _ => 4 * passes,
        };
        let tokens = (batch * model.context) as u64;
        let streams = if model.feeds_back() { 6 } else { 4 };
        let kept = |layer: usize| {
            let own = Mixer::of(model, layer).kept(model) + FeedForward::of(model, layer).kept();
            (streams * model.d_model + own) as u64
        };
        let widest = (0..model.n_layers).map(kept).max().unwrap_or(0);
        let kept = (0..model.n_layers).map(kept).sum::<u64>() + widest;
        let logits = 4 * self.predictions(batch) * vocab_size as u64;
        // Slots found by a memory, and their weighted sums.
        let found = match model.memory.kind.is_stored() {
            false => 0,
            true => 8 * tokens * (model.memory.top_k * model.d_slot()) as u64,
        };
        let found = found * model.n_layers as u64 + 4 * model.stored();
        4 * (found + vectors as u64 * model.parameters(vocab_size) as u64 + tokens * kept + logits)
    }

    /// Bytes of the largest single tensor in training with `batch` rows of the longest context.
    pub fn largest_tensor_bytes(&self, vocab_size: usize, batch: usize) -> u64 {
        self.model.largest_tensor_bytes(vocab_size, batch, self.predictions(batch))
    }

    /// Most tokens of `batch` rows that are unembedded.
    fn predictions(&self, batch: usize) -> u64 {
        let a_row = self.task.few_predictions().unwrap_or(self.model.context);
        (batch * a_row.min(self.model.context)) as u64
    }

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
            let total = self.training_bytes(vocab_size, batch, 1);
            let single = self.largest_tensor_bytes(vocab_size, batch);
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
