//! Shards of a step's batches, and those who take them through a pass.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use futures::FutureExt;
use futures::future::{LocalBoxFuture, ready};

use super::errand::{Elsewhere, Errand};
#[cfg(feature = "cli")]
use super::memory::Learned;
use super::pass::Passed;
use super::{Likelihood, TrainingPass};
use crate::base::parallel::Threads;
use crate::data::Batch;
use crate::kernel::dropout::Dropout;
use crate::kernel::is_cpu;
use crate::model::Model;

/// Rows of a micro-batch, which one core, or one GPU, takes through a whole pass.
pub struct Shard {
    /// Number of the micro-batch in its step.
    pub micro: usize,
    pub batch: Batch,
    pub dropout: Dropout,
}

/// A pass that the shards of a step have in common.
#[derive(Clone, Copy)]
pub struct ShardPass<'a> {
    pub model: &'a Model,
    pub objective: &'a Likelihood,
    pub is_frozen: bool,
    /// Share of the step that a micro-batch is.
    pub share: f64,
}

/// The result of a pass over a shard.
pub struct PassedShard {
    pub(super) micro: usize,
    pub(super) passed: Passed,
    /// `[layout.len()]`
    pub(super) gradient: Tensor<1>,
}

/// Those who take shards through their passes, several at once.
pub trait Crew {
    /// The results of `pass` over each shard, in their order, which are the same whoever takes them.
    fn take<'a>(
        &'a self,
        pass: ShardPass<'a>,
        shards: Vec<Shard>,
    ) -> LocalBoxFuture<'a, Vec<PassedShard>>;

    /// Workers that took the last shards.
    fn workers(&self) -> usize;

    /// True if it takes the batches of a run on `device` in shards; else they are passed over as a whole.
    fn splits(&self, device: &Device) -> bool {
        is_cpu(device)
    }

    /// Sends another worker on an errand, which is made only for one that is free; `None` if none is.
    fn send(&self, _errand: &dyn Fn() -> Errand) -> Option<Elsewhere> {
        None
    }

    /// Takes shards with so many workers from now on; `None` leaves the number to the crew. Threads stay as many as they
    /// were made.
    fn set_size(&self, _workers: Option<usize>) {}
}

impl ShardPass<'_> {
    pub fn run(&self, shard: &Shard) -> PassedShard {
        let mut pass = TrainingPass::new(self.model).frozen(self.is_frozen);
        let passed = pass.run(&shard.batch, self.objective, shard.dropout, self.share);
        #[cfg(feature = "cli")]
        let passed = Passed { learned: passed.learned.map(Learned::read_back), ..passed };
        PassedShard { micro: shard.micro, passed, gradient: pass.into_gradient() }
    }

    /// The results over each of `shards`, in their order: by `threads` on the CPU, one after the other on a GPU, which
    /// takes work in the order of the thread that it is given by.
    pub fn run_all(&self, shards: Vec<Shard>, threads: &Threads) -> Vec<PassedShard> {
        match is_cpu(&self.model.device()) {
            true => threads.map(shards, |shard| self.run(&shard)),
            false => shards.iter().map(|shard| self.run(shard)).collect(),
        }
    }
}

impl Crew for Arc<Threads> {
    fn take<'a>(
        &'a self,
        pass: ShardPass<'a>,
        shards: Vec<Shard>,
    ) -> LocalBoxFuture<'a, Vec<PassedShard>> {
        ready(pass.run_all(shards, self)).boxed_local()
    }

    fn workers(&self) -> usize {
        self.count()
    }
}
