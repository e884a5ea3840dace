//! Options of associative recall.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Pairs of a key and a value, and queries for the values, as in Arora et al. 2023.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqarConfig {
    /// Tokens of the vocabulary. The lower half are keys, the upper half values.
    pub vocab: usize,
    /// Tokens of a record.
    pub length: usize,
    /// Pairs of a key and a value in a record, each of which is asked for once.
    pub pairs: usize,
}

impl Default for MqarConfig {
    /// As in Zoology, <https://github.com/HazyResearch/zoology>.
    fn default() -> Self {
        Self { vocab: 8192, length: 64, pairs: 4 }
    }
}

impl MqarConfig {
    /// Checks what Zoology asserts: an even length, room for a query of each pair, and more tokens than a record has.
    ///
    /// # Errors
    /// Names the option that does not go with another.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Self { vocab, length, pairs } = *self;
        let (key, why) = if !length.is_multiple_of(2) {
            ("task.mqar.length", "Recall length (task.mqar.length) must be even")
        } else if 4 * pairs > length {
            (
                "task.mqar.pairs",
                "Key–value pairs (task.mqar.pairs) must be at most a quarter of Recall length (task.mqar.length)",
            )
        } else if vocab <= length {
            (
                "task.mqar.vocab",
                "Recall vocabulary (task.mqar.vocab) must be above Recall length (task.mqar.length)",
            )
        } else {
            return Ok(());
        };
        Err(ConfigError::Parts { key, why })
    }
}
