//! Checks of orders and answers that come from another program, of which nothing is taken on trust.

use burn::tensor::{DType, TensorData};

use super::plan::Plan;
use super::{Answer, Helper, Order, Taken};
use crate::config::ModelConfig;
use crate::data::BatchTokens;
use crate::kernel::dropout::Dropout;
use crate::learn::memory::ReadOnHost;
use crate::learn::{Shard, ShardPass};
use crate::memory::{Bank, Store};

impl Order {
    /// The model and the size of its vocabulary, if the helper has another.
    pub fn model(&self) -> Option<&(ModelConfig, usize)> {
        self.model.as_ref()
    }

    /// Shards, and tokens in all of them.
    pub fn size(&self) -> (usize, usize) {
        (self.shards.len(), self.shards.iter().map(|(tokens, _)| tokens.ids.len()).sum())
    }
}

impl Helper {
    /// Checks that `order` is for the model of `plan`, and that its numbers are of that model's shapes.
    ///
    /// # Errors
    /// A sentence on the first that is not.
    pub fn check(&self, order: &Order, plan: &Plan) -> Result<(), String> {
        let Order { model, parameters, memories, objective, share, shards, .. } = order;
        if model.as_ref().is_some_and(|(of, vocab)| *of != plan.config || *vocab != plan.vocab_size) {
            return Err("an order came for another model than was announced".into());
        }
        if !is_of(parameters, &[plan.parameters]) {
            return Err(format!("the parameters are not {} numbers", plan.parameters));
        }
        if !share.is_finite() || !objective.output_l1.is_finite() {
            return Err("the share of a shard, or a penalty, is no finite number".into());
        }
        let empty = Bank::new(&plan.config);
        let bank = self.model.as_ref().filter(|_| model.is_none()).map_or(&empty, |held| &held.bank);
        if !bank.takes(memories) {
            return Err("the slots of a memory do not go with those that are here".into());
        }
        shards.iter().try_for_each(|(tokens, dropout)| check_shard(tokens, *dropout, plan))?;
        plan.check_room(order.size().1)
    }
}

fn check_shard(tokens: &BatchTokens, dropout: Dropout, plan: &Plan) -> Result<(), String> {
    let BatchTokens { seq, ids, fields, forgotten, .. } = tokens;
    let is_whole = (1..=plan.config.context).contains(seq)
        && !ids.is_empty()
        && ids.len().is_multiple_of(*seq)
        && fields.len() == ids.len()
        && forgotten.len() == ids.len();
    let is_known = |(token, next): &(u32, u32)| (*token).max(*next) < plan.vocab_size as u32;
    match is_whole && ids.iter().all(is_known) && dropout.is_sound() {
        true => Ok(()),
        false => Err("a shard is not whole rows of the model's tokens".into()),
    }
}

impl Answer {
    /// Checks that this is what `pass` over `shards` may give.
    ///
    /// # Errors
    /// A sentence, if it is not.
    pub fn check(&self, pass: &ShardPass, shards: &[Shard]) -> Result<(), String> {
        let Self(taken) = self;
        let fits = taken.len() == shards.len()
            && taken.iter().zip(shards).all(|(taken, shard)| taken.fits(pass, shard));
        match fits {
            true => Ok(()),
            false => Err("its answer is not of the shape of the shards that it was given".into()),
        }
    }
}

impl Taken {
    fn fits(&self, pass: &ShardPass, shard: &Shard) -> bool {
        let (model, batch) = (pass.model, &shard.batch);
        // A batch without tokens, as of vectors, is read for no memory.
        let n = batch.ids.len();
        let is_read = |layer: &usize| n > 0 && (*layer < model.config.n_layers || pass.is_frozen);
        let mut memories = model.bank.memories().filter(|(layer, _)| is_read(layer));
        let of_memory = |read: &ReadOnHost| {
            let Some((layer, memory)) = memories.next() else { return false };
            let shape = memory.store.shape();
            let k = model.config.memory.top_k.min(memory.store.ids().len());
            // What the output writes as values is not read.
            let value = if layer == model.config.n_layers { shape.d_key } else { shape.d_value };
            read.is_of(layer, [shape.d_key, value], shape, (n, k))
        };
        let are_read = self.reads.iter().all(of_memory) && memories.next().is_none();
        let losses = self.losses.as_ref();
        let (_, weights, _) = batch.predictions();
        is_of(&self.gradient, &[model.layout.len()])
            && is_of(&self.figures, &[1])
            && losses.is_some_and(|losses| is_of(losses, &weights.dims()))
            && are_read
    }
}

fn is_of(data: &TensorData, shape: &[usize]) -> bool {
    data.dtype() == DType::F32 && data.shape().as_slice() == shape
}
