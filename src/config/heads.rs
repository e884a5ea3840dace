//! Heads that are added and dropped in training.

use serde::{Deserialize, Serialize};

/// The worth of a head, by which one is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PruneBy {
    /// Its gate σ(c), from 0 to 1.
    #[default]
    #[serde(alias = "contribution")]
    Gate,
    /// The mean size of the validation loss's gradient by a mask on what it writes (Michel et al. 2019), as a
    /// share of its layer's mean.
    Gradient,
}

impl_names!(PruneBy: Gate = "gate", Gradient = "gradient");

/// When training adds and drops heads, for which they must have gates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadsConfig {
    /// Steps between two looks at the heads; 0 for never.
    pub every: usize,
    /// Every layer gets a head if its gates are above this on average.
    pub grow_above: f64,
    /// Heads per layer up to which training adds.
    #[serde(alias = "most")]
    pub max: usize,
    /// Every layer loses its least head if none of these is worth more than this.
    pub prune_below: f64,
    pub prune_by: PruneBy,
}

impl HeadsConfig {
    pub(super) const NEVER: Self =
        Self { every: 0, grow_above: 0.8, max: 16, prune_below: 0.2, prune_by: PruneBy::Gate };
}

impl Default for HeadsConfig {
    fn default() -> Self {
        Self::NEVER
    }
}
