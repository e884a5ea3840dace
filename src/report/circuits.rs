//! Analyses of weights: circuits of heads, and token vectors.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A head, written `L0H3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head {
    pub layer: usize,
    pub head: usize,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}H{}", self.layer, self.head)
    }
}

/// A bilinear form on tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Circuit {
    /// `W_E W_U`: effect of a token on the logits of the next, past all layers: a bigram table.
    Direct,
    /// `W_E W_V W_O W_U`: effect of reading the row's token on the logit of the column's.
    Ov(Head),
    /// `W_E W_Q W_Kᵀ W_Eᵀ`: attention of the row's token, the query, to the column's. Scores are this over
    /// `√d_head`.
    Qk(Head),
}

/// A circuit between chosen tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenCircuit {
    pub circuit: Circuit,
    /// True if norms are folded into the weights.
    pub folded: bool,
    pub rows: Vec<u32>,
    pub columns: Vec<u32>,
    /// `[rows, columns]`, in logits; for QK, in scores times `√d_head`.
    pub values: Vec<f32>,
}

/// Copying by a head: the degree to which it raises the logits of the tokens it reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copying {
    pub head: Head,
    /// `Re Σλ / Σ|λ|` over the eigenvalues of the OV circuit: 1 for a head that copies, −1 for one that suppresses
    /// the tokens it reads, near 0 by chance.
    pub score: f32,
    /// Eigenvalues as `[real, imaginary]`, without those that are 0 by rank.
    pub eigenvalues: Vec<[f32; 2]>,
}

/// A token and its weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weighted {
    pub token: u32,
    pub weight: f32,
}

/// Tokens farthest along a direction, at both ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extremes {
    /// Greatest first.
    pub top: Vec<Weighted>,
    /// Least first.
    pub bottom: Vec<Weighted>,
}

/// A singular value of a circuit, and the tokens along its directions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SingularDirection {
    pub value: f32,
    /// Tokens by `W_E u`: read by OV, or queries of QK.
    pub reads: Extremes,
    /// Tokens by `v W_U` for OV: written; by `W_E v` for QK: keys.
    pub writes: Extremes,
}

/// Singular value decomposition of `W_V W_O` or `W_Q W_Kᵀ`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    pub circuit: Circuit,
    pub folded: bool,
    /// All `d_head` singular values, greatest first.
    pub values: Vec<f32>,
    /// Leading directions. The sign of a pair `u`, `v` is free: `u`'s largest component is positive.
    pub directions: Vec<SingularDirection>,
}

/// Composition of an earlier head with a later one: `‖A B‖ / (‖A‖ ‖B‖)` in Frobenius norms, 0 to 1. `A` is the
/// earlier head's OV circuit, and `B` a matrix by which the later head reads it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Composition {
    pub from: Head,
    pub to: Head,
    /// Through the later head's queries: `B = W_Q W_Kᵀ`; NaN if it has no keys.
    pub q: f32,
    /// Through its keys: `B = (W_Q W_Kᵀ)ᵀ`; NaN if it has none.
    pub k: f32,
    /// Through its values: `B = W_V W_O`.
    pub v: f32,
}

/// Composition of random heads of this size, the baseline of [`Composition`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomComposition {
    pub mean: f32,
    /// Standard deviation.
    pub sd: f32,
    pub draws: usize,
}

/// Distances between the output vectors of chosen tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    pub tokens: Vec<u32>,
    /// Euclidean distances: `[tokens, tokens]`.
    pub euclidean: Vec<f32>,
    /// Cosine distances, `1 − cos`, 0 to 2: `[tokens, tokens]`. A vector of length 0 is at 1 from all others.
    pub cosine: Vec<f32>,
}

/// The two principal components of output vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Principal {
    pub tokens: Vec<u32>,
    /// Coordinates of each token along both, from the mean of all.
    pub places: Vec<[f32; 2]>,
    /// Share of the variance along each, 0 to 1.
    pub explained: [f32; 2],
}

/// A token with an unusual output vector.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlier {
    pub token: u32,
    /// Length of the vector, in standard deviations above or below the mean length.
    pub length_z: f32,
    /// Distance from the mean vector, in standard deviations above or below the mean distance.
    pub distance_z: f32,
}
