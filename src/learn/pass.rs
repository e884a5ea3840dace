//! Forward, loss and backward: the one training pass.

use burn::tensor::{Gradients, Tensor};

use super::memory::Learned;
use super::{Loss, Objective, feedback};
use crate::data::Batch;
use crate::kernel::dropout::Dropout;
use crate::model::{Model, Weights};
use crate::run::Field;

/// A pass of a model whose gradients can be taken, over one batch or several.
pub struct TrainingPass<'a> {
    model: &'a Model,
    weights: Weights<'a>,
    is_frozen: bool,
}

/// The result of a pass over a batch, but for the gradient by the parameters.
pub(super) struct Passed {
    /// Number of tokens with weight 1.
    pub tokens: usize,
    /// `[figures]`
    pub figures: Tensor<1>,
    /// The loss of every token that is unembedded, `[batch, seq]`, with its target's field.
    pub losses: Option<(Tensor<2>, Vec<Option<Field>>)>,
    pub learned: Option<Learned>,
}

impl<'a> TrainingPass<'a> {
    pub fn new(model: &'a Model) -> Self {
        Self { model, weights: model.trainable(), is_frozen: false }
    }

    /// The same pass, of weights that stay as they are if `is_frozen`.
    pub fn frozen(self, is_frozen: bool) -> Self {
        Self { is_frozen, ..self }
    }

    /// The loss of the output on a batch.
    pub fn forward(
        &self,
        batch: &Batch,
        objective: &dyn Objective,
        dropout: Dropout,
        share: f64,
    ) -> Loss {
        let mut options = objective.options(dropout, self.is_frozen);
        options.forgotten = batch.forgotten.clone();
        options.feedback = feedback(self.model, batch, options.dropout);
        options.places = objective.likelihood().and_then(|_| batch.places());
        // Made anew for each batch: a backward pass uses up the graph behind every tensor but the leaves.
        let output = self.model.gpt_of(&self.weights).forward(batch.inputs.clone(), &options);
        objective.loss(output, batch, share)
    }

    /// Adds the gradient of a loss to those before, and returns those of tensors that are no parameters.
    pub fn backward(&mut self, loss: &Loss) -> Gradients {
        self.weights.backward(&loss.total)
    }

    /// Forward, loss and backward over a batch.
    pub(super) fn run(
        &mut self,
        batch: &Batch,
        objective: &dyn Objective,
        dropout: Dropout,
        share: f64,
    ) -> Passed {
        let loss = self.forward(batch, objective, dropout, share);
        let gradients = self.backward(&loss);
        Passed {
            tokens: batch.counted,
            figures: loss.figures,
            losses: loss.by_token,
            learned: Learned::new(loss.reads, gradients, batch),
        }
    }

    /// The sum of the gradients, in the layout's order: `[layout.len()]`.
    ///
    /// # Panics
    /// If none was taken.
    pub fn into_gradient(self) -> Tensor<1> {
        self.weights.into_gradient()
    }
}
