//! Losses: of every input, of a batch, and by field.

use std::collections::BTreeMap;

use burn::tensor::{Bool, Tensor};

use crate::data::Targets;
pub use crate::kernel::cross_entropy::{mean_loss, token_losses};
use crate::run::FieldLoss;
use crate::run::Field;

/// The loss of every output: cross-entropy in nats with a class, the mean squared error with values.
///
/// # Shapes
/// `logits`: `[batch, seq, vocab]`; the result: `[batch, seq]`
pub fn losses(logits: Tensor<3>, targets: Targets) -> Tensor<2> {
    match targets {
        Targets::Classes(targets) => token_losses(logits, targets),
        Targets::Values(values) => (logits - values).square().mean_dim(2).squeeze_dim(2),
    }
}

/// Tells which of `targets` the logits hold likeliest; `None` if they are no tokens.
///
/// # Shapes
/// `logits`: `[batch, seq, vocab]`; the result: `[batch, seq]`
pub fn hits(logits: Tensor<3>, targets: &Targets) -> Option<Tensor<2, Bool>> {
    let Targets::Classes(targets) = targets else { return None };
    Some(logits.argmax(2).squeeze_dim::<2>(2).equal(targets.clone()))
}

/// Losses and hits added up by field.
#[derive(Clone, Debug, Default)]
pub struct LossSums {
    /// Nats and tokens.
    fields: BTreeMap<Field, (f64, usize)>,
    /// Tokens that were held likeliest, and tokens, where they were counted.
    hits: BTreeMap<Field, (usize, usize)>,
    /// Bytes that the tokens stand for, where they are counted.
    pub(super) bytes: usize,
}

impl LossSums {
    /// Adds the losses of tokens, each with its target's field; those without one do not count.
    pub fn add(&mut self, losses: &[f32], fields: &[Option<Field>]) {
        for (loss, field) in losses.iter().zip(fields) {
            let Some(field) = field else { continue };
            let (nats, tokens) = self.fields.entry(*field).or_default();
            *nats += f64::from(*loss);
            *tokens += 1;
        }
    }

    /// Adds which tokens were held likeliest, each with its field; those without one do not count.
    pub fn add_hits(&mut self, hits: impl Iterator<Item = bool>, fields: &[Option<Field>]) {
        for (hit, field) in hits.zip(fields) {
            let Some(field) = field else { continue };
            let (right, tokens) = self.hits.entry(*field).or_default();
            *right += usize::from(hit);
            *tokens += 1;
        }
    }

    /// Share of the answers' tokens that were held likeliest; of all tokens, if there are no answers.
    pub fn accuracy(&self) -> Option<f32> {
        let all = || self.hits.values().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        let (right, tokens) = self.hits.get(&Field::Answer).copied().unwrap_or_else(all);
        (tokens > 0).then(|| (right as f64 / tokens as f64) as f32)
    }

    /// In nats per token, over all fields.
    pub fn mean(&self) -> f32 {
        let tokens: usize = self.fields.values().map(|(_, tokens)| tokens).sum();
        (self.nats() / tokens.max(1) as f64) as f32
    }

    /// In bits per byte, over all fields.
    pub fn bits_per_byte(&self) -> f32 {
        (self.nats() / std::f64::consts::LN_2 / self.bytes.max(1) as f64) as f32
    }

    fn nats(&self) -> f64 {
        self.fields.values().map(|(nats, _)| nats).sum()
    }

    /// In nats per token; `None` if `field` did not occur.
    pub fn of(&self, field: Field) -> Option<f32> {
        self.fields.get(&field).map(|(nats, tokens)| (nats / *tokens as f64) as f32)
    }

    /// The fields that occurred.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.fields.keys().copied()
    }
}

impl FieldLoss {
    /// Each field that occurred.
    pub fn of(train: &LossSums, val: &LossSums) -> Vec<Self> {
        let mut fields: Vec<Field> = train.fields().chain(val.fields()).collect();
        fields.sort_unstable();
        fields.dedup();
        let loss = |field: Field| Self { field, train: train.of(field), val: val.of(field) };
        fields.into_iter().map(loss).collect()
    }
}
