//! The settings of training.

use serde::{Deserialize, Serialize};

use super::{HeadsConfig, LoraConfig, OptimizerKind};

/// An optimizer with warm-up and cosine decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Length of the run, in steps.
    pub steps: usize,
    /// Different records to train on; 0 for as many as are drawn.
    pub records: usize,
    /// Records a micro-batch.
    pub batch: usize,
    /// Micro-batches whose gradients are averaged into one step.
    pub accumulation: usize,
    /// Parts of a micro-batch, of which each core takes one after the other; 0: as many as its size is worth. A GPU takes it
    /// whole, unless several devices share it.
    #[serde(default = "TrainConfig::whole")]
    pub shards: usize,
    pub optimizer: OptimizerKind,
    /// Learning rate after the warm-up.
    pub lr: f64,
    /// Learning rate at the last step.
    pub min_lr: f64,
    /// Steps over which the learning rate grows from 0.
    pub warmup: usize,
    pub beta1: f64,
    pub beta2: f64,
    /// Share of SGD's momentum that the next step keeps.
    pub momentum: f64,
    /// Muon's learning rate after the warm-up; it follows the schedule of `lr`.
    pub muon_lr: f64,
    /// Decay of matrices; gains and biases are not decayed.
    pub weight_decay: f64,
    /// Largest gradient norm; a larger one is scaled down to it. 0 turns clipping off.
    pub clip: f64,
    /// Weights stay as they are; only memories learn.
    pub frozen: bool,
    /// Weights of layers' matrices that are 0 stay 0.
    #[serde(alias = "keep_zeros")]
    pub keep_pruned: bool,
    pub heads: HeadsConfig,
    pub lora: LoraConfig,
    /// Steps between two validations.
    pub val_every: usize,
    /// Batches a validation.
    pub val_batches: usize,
    /// Accuracy at a validation that ends the run; 0 is none.
    pub stop_at: f64,
    /// Penalty on the mean absolute component of the output vector, added to the loss; 0 is off.
    pub output_l1: f64,
}

impl TrainConfig {
    /// True if a run has done all its steps, or had at its last validation the accuracy that ends it.
    pub fn is_over(&self, step: usize, accuracy: Option<f32>) -> bool {
        let is_enough = |accuracy| self.stop_at > 0.0 && f64::from(accuracy) >= self.stop_at;
        step >= self.steps || accuracy.is_some_and(is_enough)
    }

    /// The number of shards of checkpoints that do not tell theirs: they were trained on whole batches.
    fn whole() -> usize {
        1
    }

    /// Settings to train a finished model on with: few small steps at a constant rate, as in nanoGPT's
    /// `config/finetune_shakespeare.py`.
    pub fn for_fine_tuning() -> Self {
        Self {
            steps: 100,
            batch: 1,
            accumulation: 8,
            lr: 3e-5,
            min_lr: 3e-5,
            warmup: 0,
            val_every: 20,
            val_batches: 8,
            ..Self::default()
        }
    }
}
