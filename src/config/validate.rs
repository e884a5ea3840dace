//! What must hold before a run begins.

use super::knobs::{MAX_D_MODEL, MAX_HEADS_WIDTH};
use super::memory::layers;
use super::{KNOBS, MemoryKind, ModelConfig, Positions, RunConfig};

/// How many times what a token brings its residual stream may come to, its square being well within what
/// 32 bits hold.
const MOST_CARRIED: f64 = 1e16;

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
        "{n_heads} Heads (model.n_heads) cannot share {kv_heads} Key heads (model.kv_heads) evenly; \
         {works} would work"
    )]
    KeyHeads { n_heads: usize, kv_heads: usize, works: usize },
    #[error(
        "Head width (model.d_head) {d_head}, of {n_heads} heads, is more than {MAX_HEADS_WIDTH} in \
         all; {works} would work"
    )]
    HeadWidth { n_heads: usize, d_head: usize, works: usize },
    #[error(
        "rotary Positions (model.positions) turn pairs of numbers, but heads are {d_head} wide; \
         a Head width (model.d_head) of {works} would work"
    )]
    Rotary { d_head: usize, works: usize },
    #[error(
        "with Feedback (model.feedback), {n_layers} Layers (model.n_layers) at least double what they \
         carry with every token, which soon is more than numbers hold; a Context (model.context) of \
         {works} tokens would work, or 2 Layers"
    )]
    Feedback { n_layers: usize, works: usize },
    #[error(
        "Memory layers (model.memory.layers) are `{layers}`, but the model has layers 0 to {last}"
    )]
    MemoryLayers { layers: String, last: usize },
    #[error(
        "product keys are two halves, but Key width (model.memory.d_key) is {d_key}; {works} would work"
    )]
    KeyWidth { d_key: usize, works: usize },
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
        self.model.validate_heads()?;
        self.model.validate_feedback()?;
        self.model.validate_memory()
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

impl ModelConfig {
    fn validate_memory(&self) -> Result<(), ConfigError> {
        let (memory, last) = (&self.memory, self.n_layers - 1);
        if memory.kind == MemoryKind::None {
            return Ok(());
        }
        if layers(&memory.layers).unwrap_or_default().iter().any(|layer| *layer > last) {
            return Err(ConfigError::MemoryLayers { layers: memory.layers.clone(), last });
        }
        let d_key = self.d_key();
        match memory.kind == MemoryKind::ProductKey && !d_key.is_multiple_of(2) {
            true => Err(ConfigError::KeyWidth { d_key, works: d_key + 1 }),
            false => Ok(()),
        }
    }

    /// What is fed back was fed back before. Two layers then carry a sum over all tokens; more of them add
    /// it up on several ways, and what they carry grows by a factor a token, until the squares of which
    /// norms take the mean are infinite.
    fn validate_feedback(&self) -> Result<(), ConfigError> {
        let n_layers = self.n_layers;
        if !self.feedback || n_layers < 3 {
            return Ok(());
        }
        // Of a stream that begins with 1 at every token and that no layer writes into.
        let mut left = vec![0.0f64; n_layers];
        for works in 0..self.context {
            let mut resid = 1.0;
            let before = std::mem::take(&mut left);
            for above in before.iter().skip(1).chain([&0.0]) {
                resid += above;
                left.push(resid);
            }
            if resid > MOST_CARRIED {
                return Err(ConfigError::Feedback { n_layers, works });
            }
        }
        Ok(())
    }

    fn validate_heads(&self) -> Result<(), ConfigError> {
        let (d_model, n_heads, kv_heads) = (self.d_model, self.n_heads, self.kv_heads());
        let largest_divisor = |of: usize, most: usize| {
            (1..=most).rev().find(|divisor| of.is_multiple_of(*divisor)).unwrap_or(1)
        };
        if self.d_head == 0 && !d_model.is_multiple_of(n_heads) {
            let works = largest_divisor(d_model, n_heads);
            let wider = d_model.next_multiple_of(n_heads);
            let width = if wider > MAX_D_MODEL { wider - n_heads } else { wider };
            return Err(ConfigError::Heads { d_model, n_heads, works, width });
        }
        if !n_heads.is_multiple_of(kv_heads) {
            let works = largest_divisor(n_heads, kv_heads);
            return Err(ConfigError::KeyHeads { n_heads, kv_heads, works });
        }
        let d_head = self.d_head();
        if n_heads * d_head > MAX_HEADS_WIDTH {
            let works = MAX_HEADS_WIDTH / n_heads;
            return Err(ConfigError::HeadWidth { n_heads, d_head, works });
        }
        if self.positions == Positions::Rotary && !d_head.is_multiple_of(2) {
            let works = (d_head - 1).max(2);
            return Err(ConfigError::Rotary { d_head, works });
        }
        Ok(())
    }
}

/// What a device offers, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryLimits {
    pub total: u64,
    pub buffer: u64,
}
