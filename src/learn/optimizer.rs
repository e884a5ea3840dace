//! Optimizers: rules by which a gradient changes the parameters, over all of them at once.

mod adamw;
mod clip;
mod muon;
mod newton_schulz;
mod rates;
mod sgd;

pub use newton_schulz::orthogonalize;
pub use rates::Rates;

use adamw::AdamW;
use burn::tensor::{Device, Tensor};
use muon::{Matrix, Muon};
use sgd::Sgd;

use crate::arch::Layout;
use crate::config::OptimizerKind;
use crate::kernel::transfer::to_device;
use crate::run::Moments;

/// A rule with its state, and the parameters that it trains.
#[derive(Clone, Debug)]
pub struct Optimizer {
    rule: Rule,
    /// 1 where parameters decay: `[parameters]`.
    decay_mask: Tensor<1>,
    /// 1 where parameters are trained: `[parameters]`; `None` if all are.
    trained: Option<Tensor<1>>,
}

#[derive(Clone, Debug)]
enum Rule {
    AdamW(Box<AdamW>),
    Sgd(Box<Sgd>),
    Muon(Box<Muon>),
}

impl Optimizer {
    /// An optimizer of a model's parameters that goes on with these moments, or begins with moments of 0.
    pub fn new(
        kind: OptimizerKind,
        layout: &Layout,
        moments: Option<Moments>,
        device: &Device,
    ) -> Self {
        let hidden = layout.hidden().map(|(shape, range)| Matrix { shape, range });
        Self::of(kind, layout.decay_mask(), hidden.collect(), moments, device)
    }

    /// An optimizer of `count` parameters without hidden matrices, all of which decay.
    pub fn of_vector(
        kind: OptimizerKind,
        count: usize,
        moments: Option<Moments>,
        device: &Device,
    ) -> Self {
        Self::of(kind, vec![1.0; count], Vec::new(), moments, device)
    }

    fn of(
        kind: OptimizerKind,
        decay_mask: Vec<f32>,
        hidden: Vec<Matrix>,
        moments: Option<Moments>,
        device: &Device,
    ) -> Self {
        let zeros = || vec![0.0; decay_mask.len()];
        let moments = moments.unwrap_or_else(|| Moments { first: zeros(), second: None });
        let first = to_device(moments.first, device);
        let second = || to_device(moments.second.unwrap_or_else(zeros), device);
        let rule = match kind {
            OptimizerKind::AdamW => Rule::AdamW(Box::new(AdamW { first, second: second() })),
            OptimizerKind::Sgd => Rule::Sgd(Box::new(Sgd { momentum: first })),
            OptimizerKind::Muon => {
                let decay_mask = to_device(decay_mask.clone(), device);
                Rule::Muon(Box::new(Muon::new(hidden, [first, second()], &decay_mask)))
            }
        };
        Self { rule, decay_mask: to_device(decay_mask, device), trained: None }
    }

    /// Leaves all parameters as they are but those where `trained` is 1; only their gradient counts where
    /// it is clipped.
    ///
    /// # Shapes
    /// `trained`: `[parameters]`
    pub fn only(self, trained: Tensor<1>) -> Self {
        let Self { mut rule, decay_mask, .. } = self;
        let decay_mask = decay_mask * trained.clone();
        if let Rule::Muon(muon) = &mut rule {
            muon.set_decay(&decay_mask);
        }
        Self { rule, decay_mask, trained: Some(trained) }
    }

    /// The state, first moments before second ones where there are any: `[parameters]` each.
    pub fn moments(&self) -> Vec<Tensor<1>> {
        match &self.rule {
            Rule::AdamW(of) => vec![of.first.clone(), of.second.clone()],
            Rule::Sgd(of) => vec![of.momentum.clone()],
            Rule::Muon(muon) => muon.moments().into(),
        }
    }

    /// A sum that is not finite if a moment is not: `[1]`.
    pub(super) fn sum(&self) -> Tensor<1> {
        match &self.rule {
            Rule::AdamW(adamw) => adamw.sum(),
            Rule::Sgd(of) => of.momentum.clone().sum(),
            Rule::Muon(muon) => muon.sum(),
        }
    }

    /// The parameters after one update. A gradient of a norm over the run's `clip` is scaled down
    /// to it first.
    ///
    /// # Shapes
    /// `parameters` and `gradient`: `[parameters]`
    pub fn update(
        &mut self,
        rates: Rates,
        parameters: Tensor<1>,
        gradient: Tensor<1>,
    ) -> Tensor<1> {
        let Self { rule, decay_mask, trained } = self;
        let gradient = match trained {
            Some(trained) => gradient * trained.clone(),
            None => gradient,
        };
        match rule {
            Rule::AdamW(adamw) => adamw.update(rates, parameters, gradient, decay_mask),
            Rule::Sgd(sgd) => sgd.update(&rates, parameters, gradient, decay_mask),
            Rule::Muon(muon) => muon.update(rates, parameters, gradient, trained.as_ref()),
        }
    }
}
