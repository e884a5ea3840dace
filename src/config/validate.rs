//! What must hold before a run begins.

use super::knobs::MAX_D_MODEL;
use super::{KNOBS, ModelConfig, RunConfig};

/// Why a configuration is refused before anything runs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no knob `{0}`; the knobs are the keys that `confab train --help` lists")]
    Unknown(String),
    #[error("{label} ({key}) was set to `{got}`, but takes {takes}")]
    Range { key: &'static str, label: &'static str, got: String, takes: String },
    #[error(
        "Width (model.d_model) {d_model} is not divisible by Heads (model.n_heads) {n_heads}; \
         {works} heads or a width of {width} would work"
    )]
    Heads { d_model: usize, n_heads: usize, works: usize, width: usize },
    #[error(
        "Context (model.context) is {context} tokens, shorter than the longest record of the task \
         ({longest}); set it to {longest} or more"
    )]
    Context { context: usize, longest: usize },
    #[error(
        "the run needs about {needs} MiB, more than the {has} MiB {what}; {}",
        advise(.works)
    )]
    Memory { needs: u64, has: u64, what: &'static str, works: Option<usize> },
    #[error("the task cannot be made: {0}")]
    Task(String),
}

/// What to do about a run that is too large; `works` is the largest batch that fits.
fn advise(works: &Option<usize>) -> String {
    match works {
        Some(works) => format!("a Batch (train.batch) of {works} would fit"),
        None => "even a Batch (train.batch) of 1 needs a smaller Width or fewer Layers".into(),
    }
}

impl RunConfig {
    /// Checks every knob's range and what must hold between knobs, without making the task.
    ///
    /// # Errors
    /// The first knob that does not work, with a value that would.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for knob in KNOBS {
            knob.check(&knob.get(self))?;
        }
        let ModelConfig { d_model, n_heads, .. } = self.model;
        if d_model % n_heads != 0 {
            let works = (1..=n_heads).rev().find(|h| d_model % h == 0).unwrap_or(1);
            let wider = d_model.next_multiple_of(n_heads);
            let width = if wider > MAX_D_MODEL { wider - n_heads } else { wider };
            return Err(ConfigError::Heads { d_model, n_heads, works, width });
        }
        Ok(())
    }

    /// Checks that sequences fit: `longest` is the task's longest record, in tokens.
    pub fn validate_context(&self, longest: usize) -> Result<(), ConfigError> {
        let context = self.model.context;
        if context < longest { Err(ConfigError::Context { context, longest }) } else { Ok(()) }
    }

    /// Checks the estimated memory against what a device offers.
    pub fn validate_memory(
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

/// What a device offers, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryLimits {
    pub total: u64,
    pub buffer: u64,
}
