//! Whether heads are to be added or dropped.

use burn::tensor::ExecutionError;

use super::{Trainer, VALIDATION_STREAM, floats};
use crate::config::{HeadsConfig, PruneBy};
use crate::kernel::dropout::Dropout;
use crate::loss::{mean_loss, token_losses};
use crate::model::attention::contribution;
use crate::model::{Gpt, Weights};
use crate::task::Split;

/// What training is to do with its heads.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Every layer gets a head: so much they contribute on average.
    Grow(f32),
    /// Every layer loses the head that is worth least of these: `[layer][head]`.
    Prune(Vec<Vec<f32>>),
}

impl Trainer {
    /// What is to be done with the heads after this step, if they are looked at and something is.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn judge_heads(&self) -> Result<Option<Verdict>, ExecutionError> {
        let (train, n_heads) = (&self.config.train, self.config.model.n_heads);
        let HeadsConfig { every, grow_above, most, prune_below, prune_by } = train.heads;
        if every == 0 || self.step == 0 || !self.step.is_multiple_of(every) || self.finished() {
            return Ok(None);
        }
        let numbers = self.by_head(&floats(self.parameters.clone().into_data_async().await?));
        let contributions: Vec<Vec<f32>> =
            numbers.iter().map(|of| of.iter().map(|c| contribution(*c)).collect()).collect();
        let all: Vec<f32> = contributions.concat();
        let mean = all.iter().sum::<f32>() / all.len() as f32;
        if mean > grow_above as f32 && n_heads < most {
            return Ok(Some(Verdict::Grow(mean)));
        }
        if n_heads == 1 || prune_below == 0.0 {
            return Ok(None);
        }
        let worth = match prune_by {
            PruneBy::Contribution => contributions,
            PruneBy::Gradient => self.gradients_by_masks(&contributions).await?,
        };
        let least = |of: &Vec<f32>| of.iter().copied().fold(f32::INFINITY, f32::min);
        let are_low = worth.iter().all(|of| least(of) < prune_below as f32);
        Ok(are_low.then_some(Verdict::Prune(worth)))
    }

    /// The mean size, over validation batches, of the gradient of their loss by a mask of 1 on what each head
    /// writes, as a share of the layer's mean: `[layer][head]` (Michel et al. 2019, "Are Sixteen Heads Really
    /// Better than One?"). As a head's values are multiplied by σ(c), it is that by `c` over 1 − σ(c).
    async fn gradients_by_masks(
        &self,
        contributions: &[Vec<f32>],
    ) -> Result<Vec<Vec<f32>>, ExecutionError> {
        let mut sums: Vec<Vec<f32>> = contributions.iter().map(|of| vec![0.0; of.len()]).collect();
        for batch in 0..self.config.train.val_batches {
            let device = self.device.clone().autodiff();
            let batch = self.draw(Split::Validation, VALIDATION_STREAM + batch as u64, &device);
            let mut weights = Weights::trainable(&self.layout, &self.parameters);
            let model = Gpt::new(&self.config.model, &weights).remember(&self.bank, &self.device);
            let output = model.forward_training(batch.tokens, None, Dropout::NONE);
            weights.backward(&mean_loss(
                token_losses(output.logits, batch.targets),
                batch.weights,
                1.0,
            ));
            let gradient = floats(weights.into_gradient().into_data_async().await?);
            for (sums, gradients) in sums.iter_mut().zip(self.by_head(&gradient)) {
                sums.iter_mut().zip(gradients).for_each(|(sum, by)| *sum += by.abs());
            }
        }
        for (sums, contributions) in sums.iter_mut().zip(contributions) {
            sums.iter_mut().zip(contributions).for_each(|(sum, share)| *sum /= 1.0 - share);
            let mean = sums.iter().sum::<f32>() / sums.len() as f32;
            sums.iter_mut().for_each(|sum| *sum /= mean.max(f32::MIN_POSITIVE));
        }
        Ok(sums)
    }

    /// Of a flat vector, what belongs to the contribution of each head: `[layer][head]`.
    fn by_head(&self, flat: &[f32]) -> Vec<Vec<f32>> {
        let of_layer = |layer: usize| {
            let name = format!("blocks.{layer}.attn.contribution");
            self.layout.find(&name).map(|of| flat[of.range.clone()].to_vec())
        };
        (0..self.config.model.n_layers).filter_map(of_layer).collect()
    }
}
