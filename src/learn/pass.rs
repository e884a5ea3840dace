//! Forward, loss and backward: the one training pass.

use burn::tensor::{Gradients, Tensor};

use super::{Loss, Objective, feedback};
use crate::data::Batch;
use crate::kernel::dropout::Dropout;
use crate::model::{Model, Weights};

/// A pass of a model whose gradients can be taken, over one batch or several.
pub struct TrainingPass<'a> {
    model: &'a Model,
    weights: Weights<'a>,
    is_frozen: bool,
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
        // Made anew for each batch: a backward pass uses up the graph behind every tensor but the leaves.
        let output = self.model.gpt_of(&self.weights).forward(batch.inputs.clone(), &options);
        objective.loss(output, batch, share)
    }

    /// Adds the gradient of a loss to those before, and returns those of tensors that are no parameters.
    pub fn backward(&mut self, loss: &Loss) -> Gradients {
        self.weights.backward(&loss.total)
    }

    /// The sum of the gradients, in the layout's order: `[layout.len()]`.
    ///
    /// # Panics
    /// If none was taken.
    pub fn into_gradient(self) -> Tensor<1> {
        self.weights.into_gradient()
    }
}
