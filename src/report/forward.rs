//! What forward passes say: of heads, of what is predicted, and of the parts that it comes from.

use serde::{Deserialize, Serialize};

use super::circuits::{Extremes, Head};

/// How far a head's pattern is that of a kind of head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// Mean of one diagonal of the pattern, 0 to 1.
    pub stripe: f32,
    /// Share of the attention that falls on the mask, 0 to 1: `Σ pattern · mask / Σ pattern`.
    pub mul: f32,
    /// −1 to 1: `1 − Σ |pattern − mask| / seq`.
    pub abs: f32,
}

/// A head's scores in repeated random tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadScores {
    pub head: Head,
    /// At `[q, q − 1]`.
    pub previous_token: Match,
    /// Where key and query are the same token; the stripe is `[q, q − block]`.
    pub duplicate_token: Match,
    /// Where the query's token stands before the key; the stripe is `[q, q − block + 1]`. Its
    /// first query, the last of the first block, cannot know what will follow, so even a perfect
    /// induction head may have only `block / (block + 1)`.
    pub induction: Match,
}

/// A table from query to key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    pub seq: usize,
    /// `[query, key]`
    pub values: Vec<f32>,
}

/// A place between layers at which the residual stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Before a layer.
    Pre { layer: usize },
    /// Between a layer's attention and its MLP.
    Mid { layer: usize },
    /// After the last layer: what the model predicts.
    Final,
}

/// What is read at one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LensRow {
    pub stage: Stage,
    /// A cell a position.
    pub cells: Vec<LensCell>,
}

/// What is predicted at one stage and position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LensCell {
    /// The likeliest tokens, likeliest first.
    pub top: Vec<Prediction>,
    /// The token that was asked for; the last position has no next token.
    pub target: Option<Target>,
    /// Entropy of the prediction, in nats.
    pub entropy: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    pub token: u32,
    /// 0 to 1.
    pub probability: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub token: u32,
    /// Number of tokens that are likelier: 0 for the likeliest.
    pub rank: usize,
    /// 0 to 1.
    pub probability: f32,
}

/// A difference of logits at one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogitDifference {
    pub position: usize,
    pub token: u32,
    pub against: Against,
}

/// What a token's logit is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Against {
    Token(u32),
    /// The mean over the vocabulary.
    Mean,
}

/// A part that writes into the residual stream, or into what is unembedded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Component {
    Embedding,
    Position,
    /// What is fed back to a layer from the one above it.
    Feedback {
        layer: usize,
    },
    Head(Head),
    /// With its output bias.
    Mlp {
        layer: usize,
    },
    /// `b_O` of a layer's attention.
    AttentionBias {
        layer: usize,
    },
    /// The bias of the final norm.
    FinalBias,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    pub component: Component,
    /// In logits.
    pub value: f32,
}

/// A logit difference, part by part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    pub of: LogitDifference,
    /// As the model has it. The contributions add up to it, unless the residual stream was edited.
    pub total: f32,
    pub contributions: Vec<Contribution>,
}

/// What a term of the expansion passes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Path {
    /// From embeddings to logits past all heads.
    Direct,
    Head(Head),
    /// A head of the second layer that reads what one of the first wrote: a virtual head.
    Heads(Head, Head),
    /// All that begins in a bias.
    Biases,
}

/// What one path adds to logits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    pub path: Path,
    /// `[tokens]`
    pub logits: Vec<f32>,
}

/// The logits of chosen tokens at one position, path by path: each token's terms add up to its
/// logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expansion {
    pub position: usize,
    pub tokens: Vec<u32>,
    pub terms: Vec<Term>,
}

/// A part's effect beside what it adds directly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    pub component: Component,
    /// The logit difference less that without the part, in logits: all that it does, through
    /// later parts too.
    pub effect: f32,
    /// Its direct attribution, in logits. Of an MLP both are with its output bias.
    pub attribution: f32,
}

/// What is patched; a row of the grid is a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Patch {
    /// The residual stream before a layer; a column is a position.
    Resid,
    /// What an MLP writes; a column is a position.
    Mlp,
    /// A head's output at all positions; a column is a head.
    Heads,
    /// A head's output at one position; a column is a head.
    HeadsAt { position: usize },
    /// A head's pattern; a column is a head.
    Patterns,
}

/// How far each patch restores the clean prompt's logit difference.
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
    /// `[rows, columns]`, those done so far: `(patched − corrupted) / (clean − corrupted)`. 0 is no
    /// change, 1 the clean prompt's difference.
    pub values: Vec<f32>,
}

/// Numbers, and how they are spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// In their own order.
    pub values: Vec<f32>,
    /// Greatest first.
    pub sorted: Vec<f32>,
    pub min: f32,
    pub mean: f32,
    pub max: f32,
    /// Standard deviation.
    pub sd: f32,
    /// How many lie in each of forty equal parts from `min` to `max`.
    pub histogram: Vec<usize>,
}

/// What the model says at one position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    pub position: usize,
    /// What is unembedded, after the final norm: `[d_model]`.
    pub hidden: Spread,
    /// `[vocab]`
    pub logits: Spread,
    /// Entropy of the prediction, in nats.
    pub entropy: f32,
}

/// A token's probability by the components kept, those of greatest absolute value first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truncation {
    pub token: u32,
    /// Components of the unembedded vector, in the order in which they are kept.
    pub order: Vec<usize>,
    /// The token's probability with the first 0, 1, … all of them: `[d_model + 1]`.
    pub raw: Vec<f32>,
    /// The same with what is kept scaled to the length of the whole vector.
    pub rescaled: Vec<f32>,
    /// The fewest components with 90 % of the full probability, and so for `rescaled`.
    pub needed: usize,
    pub needed_rescaled: usize,
}

/// What one component of the unembedded vector says: its row of `W_U`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComponentView {
    pub component: usize,
    /// The ten tokens that it raises most and least, by weight.
    pub tokens: Extremes,
    /// Entropy of the softmax of its weights, in nats; `ln(vocab)` at most.
    pub entropy: f32,
}

/// What a model says with nothing in mind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopOfMind {
    /// The likeliest tokens, likeliest first.
    pub top: Vec<Prediction>,
    /// In nats.
    pub entropy: f32,
    /// Whether the final norm has a bias. Without, all tokens are equally likely.
    pub biased: bool,
}
