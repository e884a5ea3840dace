//! The sums of a step's passes.

use burn::tensor::Tensor;

use super::memory::Learned;
use super::pass::Passed;
use crate::run::Field;

/// The sums of a step's passes.
#[derive(Default)]
pub(crate) struct Passes {
    /// Tokens whose prediction was trained on.
    pub tokens: usize,
    /// `[figures]`; `None` before the first pass.
    pub figures: Option<Tensor<1>>,
    /// `[layout.len()]`
    pub gradient: Option<Tensor<1>>,
    /// Losses of tokens, `[batch, seq]` each, with their targets' fields.
    pub losses: Vec<(Tensor<2>, Vec<Option<Field>>)>,
    /// Reads of each micro-batch.
    pub learned: Vec<Learned>,
    /// Micro-batch of the last reads.
    micro: usize,
}

impl Passes {
    pub(super) fn add(&mut self, micro: usize, passed: Passed, keeps_losses: bool) {
        self.tokens += passed.tokens;
        add(&mut self.figures, passed.figures);
        self.losses.extend(passed.losses.filter(|_| keeps_losses));
        match (self.learned.last_mut(), passed.learned) {
            (Some(last), Some(next)) if self.micro == micro => last.append(next),
            (_, next) => self.learned.extend(next),
        }
        self.micro = micro;
    }
}

/// Adds to a sum, which may be empty.
pub(super) fn add<const D: usize>(sum: &mut Option<Tensor<D>>, next: Tensor<D>) {
    *sum = Some(match sum.take() {
        Some(sum) => sum + next,
        None => next,
    });
}
