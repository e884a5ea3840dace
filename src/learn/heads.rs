//! Heads that are added and dropped in training.

use burn::tensor::ExecutionError;

use super::trainer::VALIDATION_STREAM;
use super::{Likelihood, Trainer};
use crate::arch::head_gate;
use crate::config::{HeadsConfig, PruneBy};
use crate::kernel::dropout::Dropout;
use crate::kernel::transfer::floats;
use crate::task::Split;

/// A change that training makes to its heads.
#[derive(Clone, Debug, PartialEq)]
pub enum HeadChange {
    /// Every layer gets a head, for this is the mean of all head gates.
    Grow(f32),
    /// Every layer loses the head that is worth least of these: `[layer][head]`.
    Prune(Vec<Vec<f32>>),
}

impl Trainer {
    /// The change to make to the heads after this step, if they are checked now and one is due.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn check_heads(&self) -> Result<Option<HeadChange>, ExecutionError> {
        let (train, n_heads) = (&self.config.train, self.config.model.n_heads);
        let HeadsConfig { every, grow_above, max, prune_below, prune_by } = train.heads;
        if every == 0 || self.step == 0 || !self.step.is_multiple_of(every) || self.finished() {
            return Ok(None);
        }
        let parameters = self.model().parameters.clone();
        let numbers = self.by_head(&floats(parameters.into_data_async().await?));
        let gates: Vec<Vec<f32>> =
            numbers.iter().map(|layer| layer.iter().map(|c| head_gate(*c)).collect()).collect();
        let all: Vec<f32> = gates.concat();
        let mean = all.iter().sum::<f32>() / all.len() as f32;
        if mean > grow_above as f32 && n_heads < max {
            return Ok(Some(HeadChange::Grow(mean)));
        }
        if n_heads == 1 || prune_below == 0.0 {
            return Ok(None);
        }
        let worth = match prune_by {
            PruneBy::Gate => gates,
            PruneBy::Gradient => self.mask_gradients(&gates).await?,
        };
        let min = |layer: &Vec<f32>| layer.iter().copied().fold(f32::INFINITY, f32::min);
        let are_low = worth.iter().all(|layer| min(layer) < prune_below as f32);
        Ok(are_low.then_some(HeadChange::Prune(worth)))
    }

    /// The mean absolute gradient, over validation batches, of their loss by a mask of 1 on each head's output,
    /// as a share of the layer's mean: `[layer][head]` (Michel et al. 2019, "Are Sixteen Heads Really Better than
    /// One?"). As a head's values are multiplied by σ(c), it is the gradient by `c` over 1 − σ(c).
    async fn mask_gradients(&self, gates: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, ExecutionError> {
        let mut sums: Vec<Vec<f32>> = gates.iter().map(|layer| vec![0.0; layer.len()]).collect();
        for batch in 0..self.config.train.val_batches {
            let device = self.device().autodiff();
            let batch = self.draw(Split::Validation, VALIDATION_STREAM + batch as u64, &device);
            let mut pass = self.learner.pass();
            let loss = pass.forward(&batch, &Likelihood::default(), Dropout::NONE, 1.0);
            pass.backward(&loss);
            let gradient = floats(pass.into_gradient().into_data_async().await?);
            for (sums, gradients) in sums.iter_mut().zip(self.by_head(&gradient)) {
                sums.iter_mut().zip(gradients).for_each(|(sum, gradient)| *sum += gradient.abs());
            }
        }
        for (sums, gates) in sums.iter_mut().zip(gates) {
            sums.iter_mut().zip(gates).for_each(|(sum, gate)| *sum /= 1.0 - gate);
            let mean = sums.iter().sum::<f32>() / sums.len() as f32;
            sums.iter_mut().for_each(|sum| *sum /= mean.max(f32::MIN_POSITIVE));
        }
        Ok(sums)
    }

    /// The values of a flat vector that belong to head gates: `[layer][head]`.
    fn by_head(&self, flat: &[f32]) -> Vec<Vec<f32>> {
        let of_layer = |layer: usize| {
            let name = format!("blocks.{layer}.attn.contribution");
            let parameter = self.model().layout.find(&name)?;
            Some(flat[parameter.range.clone()].to_vec())
        };
        (0..self.config.model.n_layers).filter_map(of_layer).collect()
    }
}
