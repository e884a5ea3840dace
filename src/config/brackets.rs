//! Options of brackets that match.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Words of brackets that match, up to a depth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BracketsConfig {
    /// Kinds of brackets.
    pub kinds: usize,
    /// Most brackets that are open at once.
    pub max_depth: usize,
    /// Fewest pairs of brackets in a record.
    pub min_pairs: usize,
    /// Most pairs of brackets in a record.
    pub max_pairs: usize,
}

impl Default for BracketsConfig {
    fn default() -> Self {
        Self { kinds: 2, max_depth: 4, min_pairs: 4, max_pairs: 16 }
    }
}

impl BracketsConfig {
    /// Checks that a record of some length is both long and short enough.
    ///
    /// # Errors
    /// Names the limits of the length if they exclude each other.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self.min_pairs > self.max_pairs {
            true => Err(ConfigError::Parts {
                key: "task.brackets.min_pairs",
                why: "Min pairs (task.brackets.min_pairs) must be at most Max pairs (task.brackets.max_pairs)",
            }),
            false => Ok(()),
        }
    }
}
