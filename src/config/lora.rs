//! Low-rank adaptation (Hu et al. 2021, <https://arxiv.org/abs/2106.09685>).

use serde::{Deserialize, Serialize};

/// Low-rank changes `W + alpha / rank · A B` that are trained in place of the weights `W`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraConfig {
    /// Columns of `A` and rows of `B`; 0 trains the weights.
    pub rank: usize,
    pub alpha: f64,
    /// Kinds of matrices that are changed, of [`NAMES`](Self::NAMES), with commas between.
    pub on: String,
}

impl LoraConfig {
    /// Queries, keys, values and outputs of attention; matrices into and out of the hidden layer of an MLP.
    pub const NAMES: &[&str] = &["q", "k", "v", "o", "in", "out"];

    /// The kinds in [`on`](Self::on).
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.on.split(',').map(str::trim)
    }
}

impl Default for LoraConfig {
    /// As in the paper: queries and values.
    fn default() -> Self {
        Self { rank: 0, alpha: 8.0, on: "q,v".into() }
    }
}
