//! Analyses of forward passes: heads, predictions and their components.

use serde::{Deserialize, Serialize};

use super::circuits::{Extremes, Head};

/// Match of a head's pattern with that of a kind of head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// Mean of one diagonal of the pattern, 0 to 1.
    pub stripe: f32,
    /// Share of the attention on the mask, 0 to 1: `Σ pattern · mask / Σ pattern`.
    pub mul: f32,
    /// Closeness to the mask, −1 to 1: `1 − Σ |pattern − mask| / seq`.
    pub abs: f32,
}

/// Scores of a head on repeated random tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadScores {
    pub head: Head,
    /// Attention at `[q, q − 1]`.
    pub previous_token: Match,
    /// Attention to keys with the query's token; the stripe is `[q, q − block]`.
    pub duplicate_token: Match,
    /// Attention to keys after the query's token; the stripe is `[q, q − block + 1]`. Its first query, the last of
    /// the first block, cannot know the next token, so even a perfect induction head may reach only
    /// `block / (block + 1)`.
    pub induction: Match,
}

/// Attention from queries to keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    pub seq: usize,
    /// `[query, key]`
    pub values: Vec<f32>,
}

/// Place between layers to read the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Before a layer.
    Pre { layer: usize },
    /// Between a layer's attention and its MLP.
    Mid { layer: usize },
    /// After the last layer: the model's prediction.
    Final,
}

/// Predictions at one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LensRow {
    pub stage: Stage,
    /// One cell per position.
    pub cells: Vec<LensCell>,
}

/// Prediction at one stage and position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LensCell {
    /// Likeliest tokens, likeliest first.
    pub top: Vec<Prediction>,
    /// Token asked for, by default the next one, which the last position lacks.
    pub target: Option<Target>,
    /// Entropy of the prediction, in nats.
    pub entropy: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    pub token: u32,
    /// Probability, 0 to 1.
    pub probability: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub token: u32,
    /// Number of tokens that are likelier: 0 for the likeliest.
    pub rank: usize,
    /// Probability, 0 to 1.
    pub probability: f32,
}

/// A difference of logits at one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogitDifference {
    pub position: usize,
    pub token: u32,
    pub against: Against,
}

/// Baseline of a token's logit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Against {
    Token(u32),
    /// Mean over the vocabulary.
    Mean,
}

/// A part that writes into the residual stream, or into the input of the unembedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Component {
    Embedding,
    Position,
    /// Feedback to a layer from the one above.
    Feedback {
        layer: usize,
    },
    Head(Head),
    /// MLP with its output bias.
    Mlp {
        layer: usize,
    },
    /// `b_O` of a layer's attention.
    AttentionBias {
        layer: usize,
    },
    /// Bias of the final norm.
    FinalBias,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    pub component: Component,
    /// Contribution in logits.
    pub value: f32,
}

/// A logit difference, part by part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    pub of: LogitDifference,
    /// Value in the model. The contributions add up to it, unless the residual stream was edited.
    pub total: f32,
    pub contributions: Vec<Contribution>,
}

/// Path of a term in the expansion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Path {
    /// From embedding to logits past all heads.
    Direct,
    Head(Head),
    /// Virtual head: a head of the second layer that reads the output of one of the first.
    Heads(Head, Head),
    /// All paths that begin in a bias.
    Biases,
}

/// Contribution of one path to logits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    pub path: Path,
    /// `[tokens]`
    pub logits: Vec<f32>,
}

/// Logits of chosen tokens at one position, path by path. The terms of each token add up to its logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expansion {
    pub position: usize,
    pub tokens: Vec<u32>,
    pub terms: Vec<Term>,
}

/// Effect of a part, beside its direct attribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    pub component: Component,
    /// Logit difference minus the one with the part ablated, in logits: its total effect, later parts included.
    pub effect: f32,
    /// Direct attribution, in logits. For an MLP, both include its output bias.
    pub attribution: f32,
}

/// Patched site; rows of the grid are layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Patch {
    /// Residual stream before a layer; columns are positions.
    Resid,
    /// Output of an MLP; columns are positions.
    Mlp,
    /// Output of a head at all positions; columns are heads.
    Heads,
    /// Output of a head at one position; columns are heads.
    HeadsAt { position: usize },
    /// Pattern of a head; columns are heads.
    Patterns,
}

/// Degree to which each patch restores the clean prompt's logit difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatchGrid {
    pub patch: Patch,
    pub of: LogitDifference,
    /// Logit difference of the clean prompt.
    pub clean: f32,
    /// Logit difference of the corrupted prompt.
    pub corrupted: f32,
    pub rows: usize,
    pub columns: usize,
    /// `[rows, columns]`, as far as done: `(patched − corrupted) / (clean − corrupted)`. 0 is no change, 1 the
    /// clean prompt's difference.
    pub values: Vec<f32>,
}

/// Numbers and their distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// In their original order.
    pub values: Vec<f32>,
    /// Greatest first.
    pub sorted: Vec<f32>,
    pub min: f32,
    pub mean: f32,
    pub max: f32,
    /// Standard deviation.
    pub sd: f32,
    /// Counts in forty equal bins from `min` to `max`.
    pub histogram: Vec<usize>,
}

/// Output of the model at one position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    pub position: usize,
    /// Input of the unembedding, after the final norm: `[d_model]`.
    pub hidden: Spread,
    /// `[vocab]`
    pub logits: Spread,
    /// Entropy of the prediction, in nats.
    pub entropy: f32,
}

/// Probability of a token from a part of the components, those of greatest absolute value first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truncation {
    pub token: u32,
    /// Components of the input of the unembedding, in the order of their inclusion.
    pub order: Vec<usize>,
    /// Probability of the token with the first 0, 1, … all of them: `[d_model + 1]`.
    pub raw: Vec<f32>,
    /// The same, with the included components scaled to the length of the whole vector.
    pub rescaled: Vec<f32>,
    /// Fewest components that reach 90 % of the full probability, for `raw` and for `rescaled`.
    pub needed: usize,
    pub needed_rescaled: usize,
}

/// One component of the input of the unembedding: its row of `W_U`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComponentView {
    pub component: usize,
    /// The ten tokens that it raises most and the ten that it raises least, by weight.
    pub tokens: Extremes,
    /// Entropy of the softmax of its weights, in nats; at most `ln(vocab)`.
    pub entropy: f32,
}

/// Prediction of a model from a residual stream of 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopOfMind {
    /// Likeliest tokens, likeliest first.
    pub top: Vec<Prediction>,
    /// Entropy of the prediction, in nats.
    pub entropy: f32,
    /// True if the final norm has a bias. Without one, all tokens are equally likely.
    pub biased: bool,
}
