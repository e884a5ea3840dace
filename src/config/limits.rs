//! Limits of what can be set.

/// Most heads of a layer.
pub const MAX_HEADS: usize = 512;
/// Largest width of the residual stream.
pub const MAX_D_MODEL: usize = 8192;
/// Most layers of a model.
pub const MAX_LAYERS: usize = 48;
/// Widest that all heads of a layer may be together.
pub const MAX_HEADS_WIDTH: usize = 2 * MAX_D_MODEL;
/// Most memory tokens of a model.
pub const MAX_MEMORY_TOKENS: usize = 64;
/// Largest seed that JSON readers keep.
pub const MAX_SEED: u64 = (1 << 53) - 1;
/// Most names that `phone` draws from.
pub const MAX_NAMES: usize = 2000;
/// The largest list of names a run takes in, in bytes; it travels in the checkpoint.
pub const MAX_NAMES_BYTES: usize = 256 << 10;
/// The largest text whose spaces are put back, in bytes; it travels in the checkpoint.
pub const MAX_SENTENCES_BYTES: usize = 256 << 10;
/// The largest grammar of a task, in bytes.
pub const MAX_GRAMMAR_BYTES: usize = 16 << 10;
/// The largest text a run takes in, in bytes; it travels in the checkpoint.
pub const MAX_TEXT_BYTES: usize = 4 << 20;
/// The largest text in a file that a run names, in bytes. A run of plain text holds its tokens, 2 to 4 bytes each.
pub const MAX_LONG_TEXT_BYTES: u64 = 1 << 30;
/// The largest file of JSON records that a run names, in bytes. A run holds all records.
pub const MAX_RECORDS_BYTES: u64 = 256 << 20;
