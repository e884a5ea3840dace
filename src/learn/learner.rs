//! A model with its optimizer.

use burn::tensor::{Device, Tensor};

use super::{Adapters, Optimizer, Rates, TrainingPass};
use crate::config::{OptimizerKind, TrainConfig};
use crate::kernel::transfer::to_device;
use crate::model::Model;
use crate::run::{Adapter, Moments};

/// A model that learns, its optimizer, and the parameters that are trained.
pub struct Learner {
    pub model: Model,
    /// `None` if there is nothing to train on.
    pub(super) optimizer: Option<Optimizer>,
    /// `None` without adapters: the optimizer then trains the model's parameters.
    adapters: Option<Adapters>,
}

impl Learner {
    /// A model that is only looked into.
    pub fn frozen(model: Model) -> Self {
        Self { model, optimizer: None, adapters: None }
    }

    /// A model that goes on with these moments, or begins with moments of 0.
    pub fn new(model: Model, kind: OptimizerKind, moments: Option<Moments>) -> Self {
        let optimizer = Optimizer::new(kind, &model.layout, moments, &model.device());
        Self { model, optimizer: Some(optimizer), adapters: None }
    }

    /// A model whose weights have these adapters on top, of which the last goes on with its moments, or begins with moments
    /// of 0, if `trains_last`; else the weights below them do.
    pub fn adapted(
        mut model: Model,
        mut adapters: Vec<Adapter>,
        kind: OptimizerKind,
        moments: Option<Moments>,
        trains_last: bool,
    ) -> Self {
        let device = model.device();
        let optimizer = match adapters.last_mut().filter(|_| trains_last) {
            Some(last) => {
                Optimizer::of_vector(kind, last.values.len(), last.moments.take(), &device)
            }
            None => Optimizer::new(kind, &model.layout, moments, &device),
        };
        let adapters = Adapters::new(&model.layout, model.parameters, adapters, trains_last);
        model.parameters = adapters.weights();
        Self { model, optimizer: Some(optimizer), adapters: Some(adapters) }
    }

    /// The adapters on top of its weights, if it has any.
    pub fn adapters(&self) -> Option<&Adapters> {
        self.adapters.as_ref()
    }

    /// Trains only the parameters where `trained` is 1.
    ///
    /// # Shapes
    /// `trained`: `[layout.len()]`
    pub fn only(self, trained: Vec<f32>) -> Self {
        let trained = to_device(trained, &self.device());
        Self { optimizer: self.optimizer.map(|optimizer| optimizer.only(trained)), ..self }
    }

    pub fn device(&self) -> Device {
        self.model.device()
    }

    /// A pass whose gradients can be taken.
    pub fn pass(&self) -> TrainingPass<'_> {
        TrainingPass::new(&self.model)
    }

    /// The numbers of the update of `step`: see [`Rates::new`].
    pub fn rates(&self, config: &TrainConfig, step: usize, lr: f64) -> Rates {
        Rates::new(config, step, lr, &self.device())
    }

    /// NaN if a parameter or a moment is not finite, or if they are so large that their sum is not; else 0: `[1]`.
    pub fn finite_zero(&self) -> Tensor<1> {
        let sum = self.model.parameters.clone().sum();
        let moments = self.optimizer.as_ref().map(Optimizer::sum);
        moments.into_iter().fold(sum, |sum, of| sum + of) * 0.0
    }

    /// Updates the parameters by a gradient: `[layout.len()]`.
    ///
    /// # Panics
    /// If there is nothing to train on.
    pub fn update(&mut self, rates: Rates, gradient: Tensor<1>) {
        let optimizer = self.optimizer.as_mut().expect("there is something to train on");
        self.model.parameters = match &mut self.adapters {
            Some(adapters) => {
                adapters.update(optimizer, rates, gradient);
                adapters.weights()
            }
            None => optimizer.update(rates, self.model.parameters.clone(), gradient),
        };
    }
}
