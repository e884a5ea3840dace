//! What weights alone say: circuits of heads, and vectors of tokens.

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

/// A bilinear form of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Circuit {
    /// `W_E W_U`: what a token says of the next, past all layers: a bigram table.
    Direct,
    /// `W_E W_V W_O W_U`: what reading the row's token adds to the logit of the column's.
    Ov(Head),
    /// `W_E W_Q W_Kᵀ W_Eᵀ`: how much the row's token, the query, looks at the column's; scores are
    /// this over `√d_head`.
    Qk(Head),
}

/// A circuit between chosen tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenCircuit {
    pub circuit: Circuit,
    /// Whether norms are folded into the weights.
    pub folded: bool,
    pub rows: Vec<u32>,
    pub columns: Vec<u32>,
    /// `[rows, columns]`, in logits; of QK, in scores times `√d_head`.
    pub values: Vec<f32>,
}

/// Whether a head raises the logits of what it reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copying {
    pub head: Head,
    /// `Re Σλ / Σ|λ|` over the eigenvalues of the OV circuit: 1 for a head that copies, −1 for one
    /// that suppresses what it reads, near 0 by chance.
    pub score: f32,
    /// Those that are not 0 by rank, as `[real, imaginary]`.
    pub eigenvalues: Vec<[f32; 2]>,
}

/// A token with its weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weighted {
    pub token: u32,
    pub weight: f32,
}

/// The tokens that lie farthest along a direction, either way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extremes {
    /// Greatest first.
    pub most: Vec<Weighted>,
    /// Least first.
    pub least: Vec<Weighted>,
}

/// A singular value of a circuit, and the tokens along its directions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SingularDirection {
    pub value: f32,
    /// By `W_E u`: what is read, or queries.
    pub reads: Extremes,
    /// Of OV by `v W_U`: what is written; of QK by `W_E v`: keys.
    pub writes: Extremes,
}

/// The singular value decomposition of `W_V W_O` or `W_Q W_Kᵀ`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    pub circuit: Circuit,
    pub folded: bool,
    /// All `d_head`, greatest first.
    pub values: Vec<f32>,
    /// The leading ones. The sign of a pair `u`, `v` is free: `u`'s largest component is positive.
    pub directions: Vec<SingularDirection>,
}

/// Composition of an earlier head with a later one: `‖A B‖ / (‖A‖ ‖B‖)` in Frobenius norms, where
/// `A` is the earlier head's OV and `B` what reads it, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Composition {
    pub from: Head,
    pub to: Head,
    /// `B = W_Q W_Kᵀ`: through the later head's queries.
    pub q: f32,
    /// `B = (W_Q W_Kᵀ)ᵀ`: through its keys.
    pub k: f32,
    /// `B = W_V W_O`: through its values.
    pub v: f32,
}

/// What random heads of this size have, to be read beside [`Composition`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    pub mean: f32,
    /// Standard deviation.
    pub sd: f32,
    pub draws: usize,
}

/// Distances between the output vectors of chosen tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    pub tokens: Vec<u32>,
    /// Euclidean: `[tokens, tokens]`.
    pub euclidean: Vec<f32>,
    /// `1 − cos`, 0 to 2: `[tokens, tokens]`. A vector of length 0 is at 1 from all others.
    pub cosine: Vec<f32>,
}

/// The two directions along which output vectors vary most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Principal {
    pub tokens: Vec<u32>,
    /// Each token's place along both, from the mean of all.
    pub places: Vec<[f32; 2]>,
    /// Share of the variance along each, 0 to 1.
    pub explained: [f32; 2],
}

/// A token whose output vector lies aside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlier {
    pub token: u32,
    /// Standard deviations by which its length is above or below the mean length.
    pub length_z: f32,
    /// Standard deviations by which its distance from the mean vector is above or below the mean
    /// distance.
    pub distance_z: f32,
}
