//! Kinds of optimizers.

use serde::{Deserialize, Serialize};

/// The rule by which a gradient changes the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Two moments of every gradient, with decoupled weight decay (Loshchilov & Hutter 2017).
    #[default]
    AdamW,
    /// Gradient descent with momentum (Polyak 1964), and AdamW's decoupled weight decay.
    Sgd,
    /// Orthogonalized momentum for the matrices of layers, AdamW for all else (Jordan 2024).
    Muon,
}

impl_names!(OptimizerKind: AdamW = "adamw", Sgd = "sgd", Muon = "muon");

impl OptimizerKind {
    /// True if it keeps second moments of gradients.
    pub fn has_second(self) -> bool {
        match self {
            Self::AdamW | Self::Muon => true,
            Self::Sgd => false,
        }
    }
}
