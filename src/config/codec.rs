//! The noise codec, a learner without gradients.

use serde::{Deserialize, Serialize};

/// Way in which a model learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LearnerKind {
    /// A transformer, by gradients.
    #[default]
    Gpt,
    /// Random keys, noise and nearest keys: see docs/codec.md.
    Codec,
}

impl_names!(LearnerKind: Gpt = "gpt", Codec = "codec");

/// Distance between two keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyDistance {
    /// Digit by digit from the left.
    #[default]
    Digits,
    /// The difference of the numbers, |Δ|.
    Plain,
}

impl_names!(KeyDistance: Digits = "digits", Plain = "plain");

/// Distribution of noise, by its spectrum over successive draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoiseKind {
    /// Even in [0, 1), each draw by itself.
    #[default]
    Uniform,
    /// Normal, each draw by itself.
    Gaussian,
    /// Power falls as 1/f.
    Pink,
    /// Power grows as f.
    Blue,
    /// Power falls faster than 1/f².
    Black,
}

impl_names! {
    NoiseKind:
    Uniform = "uniform",
    Gaussian = "gaussian",
    Pink = "pink",
    Blue = "blue",
    Black = "black",
}

/// Way in which the noise of a record is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fitting {
    /// Draws noise until the nearest key is the wanted one.
    #[default]
    Search,
    /// Draws the encoder embedding from the cell of the wanted key.
    Cell,
}

impl_names!(Fitting: Search = "search", Cell = "cell");

/// Options of the noise codec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodecConfig {
    /// Numbers a key.
    pub numbers: usize,
    /// Decimal digits a number.
    pub digits: usize,
    pub distance: KeyDistance,
    /// Weight of a digit as a share of the weight of the digit before it, 0.05 to 0.95.
    pub falloff: f64,
    /// Share of a digit's cost that two close digits save, 0 to 0.95.
    pub closeness: f64,
    pub noise: NoiseKind,
    pub fitting: Fitting,
    /// Most draws for one noise.
    pub draws: usize,
    /// Most noises a token.
    pub noises: usize,
    /// Longest window, in tokens to each side of one; 0 is the token alone.
    pub window: usize,
    /// Weight of a token in a window as a share of that of the next nearer one, 0.05 to 0.95.
    pub decay: f64,
    /// Largest distance at which a known context stands for an unknown one.
    pub reach: f64,
    /// True if the noises before a token propose its noise, too, beside its neighbours.
    pub chain: bool,
    /// Number of first digits of a noise that make up its state, 1 or 2.
    pub state_digits: usize,
    /// Number of past noises that propose the next.
    pub past: usize,
    /// Random changes of the chain's transitions that are tried a step.
    pub mutations: usize,
    /// True if graphs of functions turn the tokens that noise writes into the output.
    pub graph: bool,
}

impl Default for CodecConfig {
    fn default() -> Self {
        Self {
            numbers: 1,
            digits: 9,
            distance: KeyDistance::Digits,
            falloff: 0.5,
            closeness: 0.5,
            noise: NoiseKind::Uniform,
            fitting: Fitting::Search,
            draws: 100_000,
            noises: 4,
            window: 64,
            decay: 0.8,
            reach: 0.0,
            chain: false,
            state_digits: 1,
            past: 3,
            mutations: 0,
            graph: false,
        }
    }
}
