//! The model that another program's orders are for, and how long messages about it may be.

use crate::arch::Layout;
use crate::config::{MemoryLimits, ModelConfig, RunConfig, TrainConfig};
use crate::memory::{Bank, Memory, Store};

/// A model whose shards are taken in another program.
#[derive(Clone, Debug)]
pub struct Plan {
    pub config: ModelConfig,
    pub vocab_size: usize,
    /// Numbers in its flat vector.
    pub parameters: usize,
    limits: MemoryLimits,
}

/// Most tokens of a vocabulary: more than any published one has.
const MAX_VOCAB: usize = 1 << 24;
/// Most records of a step's shards that are taken at once: the largest batch, and what may wait for it.
const MAX_ROWS: u64 = 8192 + 64;
/// Most bytes that a message has besides its numbers.
const FRAME: u64 = 1 << 16;
/// Most bytes of a token in an order: two ids, a field and a flag.
const TOKEN: u64 = 16;
/// Most bytes of a slot besides its key and value: its place, its id and two lengths.
const SLOT: u64 = 40;

impl Plan {
    /// The plan for a model that another program asks for.
    ///
    /// # Errors
    /// A sentence, if no run may have such a model, or a device with `limits` has no room for it.
    pub fn new(
        config: ModelConfig,
        vocab_size: usize,
        limits: MemoryLimits,
    ) -> Result<Self, String> {
        if vocab_size == 0 || vocab_size > MAX_VOCAB {
            return Err(format!("a vocabulary has 1 to {MAX_VOCAB} tokens, not {vocab_size}"));
        }
        let train = TrainConfig { batch: 1, ..TrainConfig::default() };
        let run = RunConfig { model: config, train, ..RunConfig::default() };
        run.validate().map_err(|error| error.to_string())?;
        run.validate_room(vocab_size, &limits).map_err(|error| error.to_string())?;
        let parameters = Layout::new(&run.model, vocab_size).len();
        Ok(Self { config: run.model, vocab_size, parameters, limits })
    }

    /// The plan for a run's own model, which has been checked.
    pub fn of(config: &ModelConfig, vocab_size: usize) -> Self {
        let limits = MemoryLimits { total: u64::MAX, buffer: u64::MAX };
        let parameters = Layout::new(config, vocab_size).len();
        Self { config: config.clone(), vocab_size, parameters, limits }
    }

    /// Most bytes of an order: all parameters, all slots, and the tokens of the largest batch.
    pub fn longest_order(&self) -> u64 {
        let context = self.config.context as u64;
        let slots = self.config.memory.slots as u64 * (self.config.n_layers as u64 + 1);
        // A step may hold more slots than it leaves.
        let memories = 2 * (4 * self.config.stored() + SLOT * slots);
        FRAME + 4 * self.parameters as u64 + memories + MAX_ROWS * context * TOKEN
    }

    /// Most bytes of an answer: of each shard a gradient, and of each token a loss and the reads of each memory.
    pub fn longest_answer(&self, shards: usize, tokens: usize) -> u64 {
        let read = |memory: &Memory| {
            let shape = memory.store.shape();
            // What is found has a distance, an id, and the gradient by its value; the token's own key and value come with it.
            let found = 4 * shape.d_value as u64 + 14;
            self.config.memory.top_k as u64 * found + 4 * (shape.d_key + shape.d_key.max(shape.d_value)) as u64
        };
        let reads: u64 = Bank::new(&self.config).memories().map(|(_, memory)| read(memory)).sum();
        shards as u64 * (FRAME + 4 * self.parameters as u64) + tokens as u64 * (4 + reads)
    }

    /// Checks that the device has room for shards of so many tokens in all.
    ///
    /// # Errors
    /// A sentence, if it has not.
    pub fn check_room(&self, tokens: usize) -> Result<(), String> {
        let rows = tokens.div_ceil(self.config.context);
        let run = RunConfig { model: self.config.clone(), ..RunConfig::default() };
        let needs = run.training_bytes(self.vocab_size, rows, 1);
        let single = run.largest_tensor_bytes(self.vocab_size, rows);
        if needs <= self.limits.total && single <= self.limits.buffer {
            return Ok(());
        }
        Err(format!(
            "shards of {tokens} tokens need {} MiB here, which is more than this device has; lower --batch of the run",
            needs.max(single) >> 20
        ))
    }
}
