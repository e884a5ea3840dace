//! Batches to train on.

use burn::tensor::Device;

use crate::config::{NoiseConfig, RunConfig};
use crate::data::Batch;
use crate::task::{Split, Task};
use crate::tokenizer::Tokenizer;

/// A run's settings, task and tokenizer, which its batches are drawn by.
#[derive(Clone, Copy)]
pub struct TaskSource<'a> {
    pub config: &'a RunConfig,
    pub task: &'a Task,
    pub tokenizer: &'a Tokenizer,
}

/// A source of training batches.
pub trait BatchSource {
    /// Micro-batch `stream` of a run, the same whenever it is drawn.
    fn draw(&self, run: TaskSource, stream: u64, device: &Device) -> Batch;
}

/// Records of the run's task.
pub struct TaskRecords;

impl BatchSource for TaskRecords {
    fn draw(&self, run: TaskSource, stream: u64, device: &Device) -> Batch {
        run.draw_training(stream, device)
    }
}

impl TaskSource<'_> {
    /// Micro-batch `stream` to train on: with a supplement, records of it among the task's.
    pub fn draw_training(&self, stream: u64, device: &Device) -> Batch {
        let RunConfig { train, seed, .. } = self.config;
        let task = self.task.training().limited(train.records, *seed);
        TaskSource { task: &task, ..*self }.draw(Split::Train, stream, device)
    }

    /// Micro-batch `stream` of `split`; of training records, with the noise they are read through.
    pub fn draw(&self, split: Split, stream: u64, device: &Device) -> Batch {
        let RunConfig { train, model, noise, seed, .. } = self.config;
        let clean = NoiseConfig::default();
        let noise = if split == Split::Train { noise } else { &clean };
        let shape = (train.batch, model.context);
        Batch::draw(self.task, self.tokenizer, split, noise, shape, (*seed, stream), device)
    }
}
