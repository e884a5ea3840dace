//! Inputs and targets of a batch.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor};

/// Inputs of a model.
#[derive(Clone, Debug)]
pub enum Inputs {
    /// Ids: `[batch, seq]`.
    Tokens(Tensor<2, Int>),
    /// Vectors in place of the tokens' embeddings: `[batch, seq, d_model]`.
    Vectors(Tensor<3>),
}

impl Inputs {
    /// `[batch, seq]`
    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Tokens(tokens) => tokens.dims(),
            Self::Vectors(vectors) => {
                let [batch, seq, _] = vectors.dims();
                [batch, seq]
            }
        }
    }

    /// Some of its rows.
    pub fn rows(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Tokens(tokens) => Self::Tokens(tokens.clone().slice(rows)),
            Self::Vectors(vectors) => Self::Vectors(vectors.clone().slice(rows)),
        }
    }

    pub fn device(&self) -> Device {
        match self {
            Self::Tokens(tokens) => tokens.device(),
            Self::Vectors(vectors) => vectors.device(),
        }
    }

    /// The inputs without gradients, of inputs on a device with them.
    pub fn inner(self) -> Self {
        match self {
            Self::Tokens(tokens) => Self::Tokens(tokens.inner()),
            Self::Vectors(vectors) => Self::Vectors(vectors.inner()),
        }
    }
}

impl From<Tensor<2, Int>> for Inputs {
    fn from(tokens: Tensor<2, Int>) -> Self {
        Self::Tokens(tokens)
    }
}

/// Targets of a model's outputs.
#[derive(Clone, Debug)]
pub enum Targets {
    /// The token to predict: `[batch, seq]`.
    Classes(Tensor<2, Int>),
    /// The outputs to produce: `[batch, seq, vocab]`.
    Values(Tensor<3>),
}

impl Targets {
    /// Those of some of its rows.
    pub fn rows(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Classes(targets) => Self::Classes(targets.clone().slice(rows)),
            Self::Values(values) => Self::Values(values.clone().slice(rows)),
        }
    }
}
