//! The answer of a model to a question of its task.

use serde::{Deserialize, Serialize};

/// The likeliest answer of a model to a question, token by token, beside the true one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub step: usize,
    /// Tokens of a record up to its answer.
    pub question: Vec<String>,
    /// Tokens of the true answer.
    pub truth: Vec<String>,
    /// As many tokens as the true answer has.
    pub said: Vec<Said>,
    /// Layer and head whose attention is shown: the one that reads most of what is said from where it stands already.
    pub head: (usize, usize),
    /// Attention of that head from the query of each token said, which is the token before it, to the question and the
    /// tokens said before.
    pub reads: Vec<Vec<f32>>,
}

impl Answer {
    /// Number of tokens that are as in the true answer.
    pub fn right(&self) -> usize {
        self.said.iter().zip(&self.truth).filter(|(said, truth)| said.token == **truth).count()
    }
}

/// A token of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub token: String,
    /// Probability at temperature 1.
    pub probability: f32,
}
