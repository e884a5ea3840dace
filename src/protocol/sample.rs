//! Samples: their options, and their characters as they are written.

use serde::{Deserialize, Serialize};

/// Options of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleOptions {
    pub prompt: String,
    /// 0 always takes the likeliest character; 2 is the most random.
    pub temperature: f64,
    /// Samples from the `top_k` likeliest characters only; 0 samples from all.
    pub top_k: usize,
    pub seed: u64,
    /// Most characters of a sample, which also ends after `{E}`.
    pub max_chars: usize,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self { prompt: "{B}".into(), temperature: 0.8, top_k: 0, seed: 1, max_chars: 256 }
    }
}

/// One character of a sample, with its alternatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CharacterReport {
    /// The token.
    pub picked: String,
    /// Text that it completes; empty within a character that several tokens spell.
    pub text: String,
    /// Likeliest first, at most [`ALTERNATIVES`].
    pub alternatives: Vec<Alternative>,
    pub cost: Cost,
}

/// Loss of a character: −ln of its probability, in nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub loss: f32,
    /// Loss of the best predictor, in nats; `None` if the task never writes the character, and for a text of
    /// unknown source.
    pub floor: Option<f32>,
}

/// Most alternatives reported per character.
pub const ALTERNATIVES: usize = 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    pub token: String,
    /// Probability at temperature 1.
    pub probability: f32,
    /// Probability of a sample, at its temperature and top-k.
    pub drawn: f32,
    pub logit: f32,
    /// Probability at temperature 1 by the model that this one is compared with.
    pub baseline: Option<f32>,
}
