//! Helpers: other instances of the program, which take shards of a run through their passes.
//!
//! A helper holds a copy of the model. Every order brings it up to date, so that it computes what the run itself would.

#[cfg(feature = "cli")]
mod check;
#[cfg(feature = "cli")]
mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Device, ExecutionError, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::memory::{Learned, ReadOnHost};
use super::pass::Passed;
use super::{Likelihood, PassedShard, Shard, ShardPass};
use crate::arch::Layout;
use crate::base::parallel::Threads;
use crate::config::ModelConfig;
use crate::data::BatchTokens;
use crate::kernel::dropout::Dropout;
use crate::kernel::recall::Mirrors;
use crate::memory::{Bank, Patch, Stamps};
use crate::model::Model;

#[cfg(feature = "cli")]
pub use plan::Plan;

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

/// The copy of a run's model that a helper has, and the device that it computes on.
pub struct Helper {
    model: Option<Model>,
    device: Device,
    /// Those who take shards, if the device is the CPU.
    threads: Arc<Threads>,
}

impl Default for Helper {
    /// A helper that computes on the CPU's cores.
    fn default() -> Self {
        Self::new(Device::flex(), Threads::shared())
    }
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
    /// A helper without a model, whose `threads` take the shards if `device` is the CPU.
    pub fn new(device: Device, threads: Arc<Threads>) -> Self {
        Self { model: None, device, threads }
    }

    /// Takes the shards of an order.
    ///
    /// # Errors
    /// If the order is not for the model that this helper has, or the device failed.
    pub fn take(&mut self, order: Order) -> Result<Answer, String> {
        let Order { model, parameters, memories, objective, is_frozen, share, shards } = order;
        let parameters = Tensor::<1>::from_data(parameters, &self.device);
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
        let device = self.device.clone().autodiff();
        let shard = |(tokens, dropout): (BatchTokens, Dropout)| {
            Shard { micro: 0, batch: tokens.on(&device), dropout }
        };
        let passed = pass.run_all(shards.into_iter().map(shard).collect(), &self.threads);
        let taken: Result<_, _> = passed.into_iter().map(Taken::new).collect();
        Ok(Answer(taken.map_err(|error: ExecutionError| error.to_string())?))
    }
}

impl Taken {
    fn new(PassedShard { passed, gradient, .. }: PassedShard) -> Result<Self, ExecutionError> {
        let losses = passed.losses.map(|(losses, _)| losses.try_into_data());
        Ok(Self {
            gradient: gradient.try_into_data()?,
            figures: passed.figures.try_into_data()?,
            losses: losses.transpose()?,
            reads: passed.learned.map_or_else(Vec::new, Learned::on_host),
        })
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
                losses.map(|losses| (Tensor::from_data(losses, device), batch.predictions().2.to_vec()));
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
