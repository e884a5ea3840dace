//! Helpers: other instances of the program, which take shards of a run through their passes.
//!
//! A helper holds a copy of the model. Every order brings it up to date, so that it computes what the run itself would.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::memory::{Learned, ReadOnHost};
use super::pass::Passed;
use super::{Likelihood, PassedShard, Shard, ShardPass};
use crate::arch::Layout;
use crate::config::ModelConfig;
use crate::data::BatchTokens;
use crate::kernel::dropout::Dropout;
use crate::kernel::recall::Mirrors;
use crate::memory::{Bank, Patch, Stamps};
use crate::model::Model;

/// Shards to take, and the model to take them with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The model and the size of its vocabulary, if the helper has another.
    model: Option<(ModelConfig, usize)>,
    parameters: TensorData,
    /// Changes of memories, by layer.
    memories: Vec<(usize, Patch)>,
    objective: Likelihood,
    is_frozen: bool,
    share: f64,
    shards: Vec<(BatchTokens, Dropout)>,
}

/// The results of an order, a shard each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer(Vec<Taken>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Taken {
    gradient: TensorData,
    figures: TensorData,
    losses: Option<TensorData>,
    reads: Vec<ReadOnHost>,
}

/// The copy of a run's model that a helper has.
#[derive(Default)]
pub struct Helper {
    model: Option<Model>,
}

/// The state of a helper's copy, as those who give it orders know it.
#[derive(Default)]
pub struct Known {
    of: Option<(ModelConfig, usize, BTreeMap<usize, Stamps>)>,
}

impl Known {
    /// The order to take `shards` with a helper in this state; `None` if they are not of tokens.
    pub fn order(&mut self, pass: &ShardPass, shards: &[Shard]) -> Option<Order> {
        let tokens = |shard: &Shard| Some((shard.batch.tokens()?, shard.dropout));
        let shards = shards.iter().map(tokens).collect::<Option<Vec<_>>>()?;
        let Model { config, layout, parameters, bank, .. } = pass.model;
        let vocab_size = layout.find("embed.W_E")?.shape()[0];
        let held = self.of.take().filter(|(of, vocab, _)| of == config && *vocab == vocab_size);
        let model = held.is_none().then(|| (config.clone(), vocab_size));
        let memories = bank.changes_since(&held.map(|(.., stamps)| stamps).unwrap_or_default());
        self.of = Some((config.clone(), vocab_size, bank.stamps()));
        Some(Order {
            model,
            parameters: parameters.clone().into_data(),
            memories,
            objective: pass.objective.clone(),
            is_frozen: pass.is_frozen,
            share: pass.share,
            shards,
        })
    }
}

impl Helper {
    /// Takes the shards of an order.
    ///
    /// # Errors
    /// If the order is not for the model that this helper has.
    pub fn take(&mut self, order: Order) -> Result<Answer, String> {
        let Order { model, parameters, memories, objective, is_frozen, share, shards } = order;
        let device = Device::flex();
        let parameters = Tensor::<1>::from_data(parameters, &device);
        if let Some((config, vocab_size)) = model {
            let layout = Layout::new(&config, vocab_size);
            let bank = Bank::new(&config);
            let (parameters, mirrors) = (parameters.clone(), Mirrors::default());
            self.model = Some(Model { config, layout, parameters, bank, mirrors });
        }
        let model = self.model.as_mut().ok_or("the helper has no model yet")?;
        let [count] = parameters.dims();
        if count != model.layout.len() {
            return Err(format!("{count} parameters came for {}", model.layout.len()));
        }
        model.parameters = parameters;
        model.bank.apply(memories).map_err(|error| error.to_string())?;
        let pass = ShardPass { model, objective: &objective, is_frozen, share };
        let device = device.autodiff();
        let take = |(tokens, dropout): (BatchTokens, Dropout)| {
            let shard = Shard { micro: 0, batch: tokens.on(&device), dropout };
            Taken::new(pass.run(&shard))
        };
        Ok(Answer(shards.into_iter().map(take).collect()))
    }
}

impl Taken {
    fn new(PassedShard { passed, gradient, .. }: PassedShard) -> Self {
        Self {
            gradient: gradient.into_data(),
            figures: passed.figures.into_data(),
            losses: passed.losses.map(|(losses, _)| losses.into_data()),
            reads: passed.learned.map_or_else(Vec::new, Learned::on_host),
        }
    }
}

impl Answer {
    /// The results of `pass` over the `shards` of the order; `None` if they do not belong to them.
    pub fn of(self, pass: &ShardPass, shards: &[Shard]) -> Option<Vec<PassedShard>> {
        let Self(taken) = self;
        let device = &pass.model.device();
        let of_shard = |(Shard { micro, batch, .. }, taken): (&Shard, Taken)| {
            let Taken { gradient, figures, losses, reads } = taken;
            let losses =
                losses.map(|losses| (Tensor::from_data(losses, device), batch.fields.clone()));
            let passed = Passed {
                tokens: batch.counted,
                figures: Tensor::from_data(figures, device),
                losses,
                learned: Learned::of_host(reads, batch, device),
            };
            PassedShard { micro: *micro, passed, gradient: Tensor::from_data(gradient, device) }
        };
        (taken.len() == shards.len()).then(|| shards.iter().zip(taken).map(of_shard).collect())
    }
}
