//! Losses that a model is trained to lower.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{losses, mean_loss};
use crate::config::TrainConfig;
use crate::data::Batch;
#[cfg(feature = "cli")]
use crate::kernel::cross_entropy::mean_of_part;
use crate::kernel::dropout::Dropout;
#[cfg(feature = "cli")]
use crate::kernel::is_cpu;
use crate::model::memory::LayerRead;
use crate::model::{Output, PassOptions};
use crate::run::Field;

/// A loss of a learner's output on a batch.
pub trait Objective {
    /// Options of the forward pass, given the run's dropout, and whether weights stay as they are.
    fn options(&self, dropout: Dropout, is_frozen: bool) -> PassOptions;

    /// The loss of a batch, `share` of which counts: 1 over the micro-batches of a step. The output of a likelihood is at
    /// the batch's places alone.
    fn loss(&self, output: Output, batch: &Batch, share: f64) -> Loss;

    /// The likelihood, if it is that: the loss of a batch is then the sum of its rows', and can be taken of some at a time.
    fn likelihood(&self) -> Option<&Likelihood> {
        None
    }

    /// True if it is measured on held-out records, too.
    fn is_validated(&self) -> bool {
        false
    }
}

/// The loss of one batch.
pub struct Loss {
    /// The value to lower, with its gradient: `[1]`.
    pub total: Tensor<1>,
    /// Numbers to report, the first of which is the loss of the step, without gradients: `[figures]`.
    pub figures: Tensor<1>,
    /// The loss of every token that is unembedded, with its target's field, of an objective that is validated: `[batch, seq]`.
    pub by_token: Option<(Tensor<2>, Vec<Option<Field>>)>,
    /// Look-ups of the learner's memories, by layer.
    pub reads: Vec<(usize, LayerRead)>,
}

/// Cross-entropy of the next token, or the squared error of values, and a penalty on the size of what is unembedded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Likelihood {
    /// Added to the loss of a token: this times the mean absolute component of its output vector. 0 is off.
    pub output_l1: f64,
}

impl Likelihood {
    pub fn of(config: &TrainConfig) -> Self {
        Self { output_l1: config.output_l1 }
    }
}

impl Objective for Likelihood {
    fn options(&self, dropout: Dropout, is_frozen: bool) -> PassOptions {
        // The memory of the output is filled: keys of weights that still move would be old by the next step.
        PassOptions { dropout, reads_output: is_frozen, ..PassOptions::default() }
    }

    fn loss(&self, output: Output, batch: &Batch, share: f64) -> Loss {
        let Output { logits, normed, reads, .. } = output;
        let (targets, weights, fields) = batch.predictions();
        let losses = losses(logits, targets);
        let mean = |losses: Tensor<2>| {
            let (weights, whole) = (weights.clone(), batch.whole as f64);
            #[cfg(feature = "cli")]
            if batch.is_part() && !is_cpu(&losses.device()) {
                return mean_of_part(losses, weights, whole, share);
            }
            mean_loss(losses, weights, whole, share)
        };
        let loss = mean(losses.clone());
        let by_token = Some((losses.clone().inner(), fields.to_vec()));
        let figures = loss.clone().inner();
        let total = if self.output_l1 > 0.0 {
            let sizes = normed.abs().mean_dim(2).squeeze_dim::<2>(2); // [batch, seq]
            mean(losses + sizes.mul_scalar(self.output_l1))
        } else {
            loss
        };
        Loss { total, figures, by_token, reads }
    }

    fn likelihood(&self) -> Option<&Likelihood> {
        Some(self)
    }

    fn is_validated(&self) -> bool {
        true
    }
}
