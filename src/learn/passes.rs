//! The passes of a step: over each of its batches as a whole, or over shards of them at once.

use super::sums::{Passes, add};
use super::shard::{PassedShard, Shard, ShardPass};
use super::{Likelihood, Trainer};
use crate::data::Batch;
use crate::kernel::dropout::Dropout;

/// Most parts of a batch whose number goes by its size.
const MOST: usize = 8;
/// Parameters times tokens that are worth a part of their own: a pass over fewer takes longer for its operations than for
/// their numbers.
const WORTH: usize = 3 << 19;

impl Trainer {
    /// The passes of the next step; the loss of every token is kept only if `keeps_losses`.
    pub(super) async fn passes(&self, keeps_losses: bool) -> Passes {
        let draw = |micro| self.source.draw(self.run(), self.stream(micro), &self.device().autodiff());
        self.passes_over(draw, keeps_losses).await
    }

    /// The passes over the micro-batches that `draw` makes.
    ///
    /// Shards are the same on any number of cores and devices, and their gradients and losses are added in their order, so that
    /// the sums are the same to the bit.
    pub(crate) async fn passes_over(
        &self,
        draw: impl Fn(usize) -> Batch,
        keeps_losses: bool,
    ) -> Passes {
        let train = &self.config.train;
        let Some(objective) = self.by_row() else { return self.whole(draw, keeps_losses) };
        let pass = ShardPass { model: self.model(), objective, is_frozen: train.frozen, share: self.share() };
        let mut passes = Passes::default();
        let mut waiting: Vec<Shard> = Vec::new();
        for micro in 0..train.accumulation {
            let batch = draw(micro);
            let dropout = self.dropout(micro);
            let of_rows = |(row, batch)| Shard { micro, batch, dropout: dropout.from_row(row) };
            let parts = self.parts(&batch);
            waiting.extend(batch.shards(parts).map(of_rows));
            // Micro-batches of few rows are taken together, so that no core waits.
            if waiting.len() < MOST && micro + 1 < train.accumulation {
                continue;
            }
            let shards = std::mem::take(&mut waiting);
            let taken = match &shards[..] {
                // A row that is worth several cores has them in its loops.
                [shard] if parts > 1 => vec![pass.run(shard)],
                _ => self.crew.take(pass, shards).await,
            };
            for PassedShard { micro, passed, gradient } in taken {
                passes.add(micro, passed, keeps_losses);
                add(&mut passes.gradient, gradient);
            }
        }
        passes
    }

    /// Parts that `batch` is trained in, if it has as many rows.
    pub(crate) fn parts(&self, batch: &Batch) -> usize {
        self.parts_of(batch.inputs.dims().iter().product())
    }

    /// Estimated bytes of memory in training.
    pub fn training_bytes(&self) -> u64 {
        let batch = self.config.train.batch;
        let parts = self.parts_of(batch * self.config.model.context).min(batch);
        let vocab_size = self.tokenizer.vocab_size();
        self.config.training_bytes(vocab_size, batch, parts.min(self.workers()))
    }

    fn parts_of(&self, tokens: usize) -> usize {
        match (self.by_row(), self.config.train.shards) {
            (None, _) => 1,
            (_, 0) => {
                let work = self.model().layout.len() * tokens;
                (1 << (work / WORTH).max(1).ilog2()).min(MOST)
            }
            (_, shards) => shards,
        }
    }

    /// Workers that took the last step at once.
    pub fn workers(&self) -> usize {
        self.by_row().map_or(1, |_| self.crew.workers())
    }

    /// The objective, if batches are trained in shards.
    fn by_row(&self) -> Option<&Likelihood> {
        let splits = self.config.train.shards != 1 && self.crew.splits(&self.device());
        self.objective.likelihood().filter(|_| splits)
    }

    fn whole(&self, draw: impl Fn(usize) -> Batch, keeps_losses: bool) -> Passes {
        let train = &self.config.train;
        let mut passes = Passes::default();
        // Drawn before anything else: a GPU makes later transfers wait for earlier work.
        let mut first = Some(draw(0));
        let mut pass = self.learner.pass().frozen(train.frozen);
        for micro in 0..train.accumulation {
            let batch = first.take().unwrap_or_else(|| draw(micro));
            let passed = pass.run(&batch, &*self.objective, self.dropout(micro), self.share());
            passes.add(micro, passed, keeps_losses);
        }
        passes.gradient = Some(pass.into_gradient());
        passes
    }

    fn dropout(&self, micro: usize) -> Dropout {
        let seed = self.config.seed ^ self.stream(micro) << 20;
        Dropout::new(self.config.model.dropout, seed)
    }

    /// Number of a micro-batch of the next step among all of the run.
    fn stream(&self, micro: usize) -> u64 {
        (self.step * self.config.train.accumulation + micro) as u64
    }

    /// Share of a step that a micro-batch is.
    fn share(&self) -> f64 {
        1.0 / self.config.train.accumulation as f64
    }
}
