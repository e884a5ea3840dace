//! One transformer block, which reads through norms.

use burn::tensor::Tensor;

use super::Weights;
use super::attention::{Attended, Attention, Pattern};
use super::memory::{LayerRead, MemoryLayer};
use super::mlp::Mlp;
use super::norm::Norm;
use super::product_key::ProductKey;
use super::rotary::Rotation;
use super::slots::Slots;
use crate::config::{MemoryKind, ModelConfig};
use crate::kernel::attention::{KeyValues, Mask};
use crate::kernel::dropout::Dropout;

#[derive(Clone, Debug)]
pub struct Block {
    ln1: Norm,
    attn: Attention,
    ln2: Norm,
    feed_forward: FeedForward,
    is_watched: bool,
}

/// What follows attention.
#[derive(Clone, Debug)]
enum FeedForward {
    Nothing,
    Mlp(Mlp),
    ProductKey(ProductKey),
    Memory(MemoryLayer, Slots),
}

/// What a block has done to a batch.
#[derive(Clone, Debug)]
pub struct BlockOutput {
    /// `[batch, seq, d_model]`
    pub resid_post: Tensor<3>,
    pub pattern: Pattern,
    /// Of a block with a memory.
    pub read: Option<LayerRead>,
    /// What its feed-forward layer or memory added, if it is watched: `[batch, seq, d_model]`
    pub written: Option<Tensor<3>>,
}

impl Block {
    /// Block `layer`, whose memory, if it has one, is empty.
    pub fn new(config: &ModelConfig, weights: &Weights, layer: usize) -> Self {
        let name = format!("blocks.{layer}");
        let memory = format!("{name}.memory");
        let replacing = config.memory.of(layer).filter(|kind| kind.replaces_mlp());
        let feed_forward = match replacing {
            Some(MemoryKind::ProductKey) => {
                FeedForward::ProductKey(ProductKey::new(config, weights, &memory))
            }
            Some(kind) => {
                FeedForward::Memory(MemoryLayer::new(config, weights, &memory, kind), Slots::Empty)
            }
            None => match Mlp::new(config.mlp, weights, &format!("{name}.mlp")) {
                Some(mlp) => FeedForward::Mlp(mlp),
                None => FeedForward::Nothing,
            },
        };
        Self {
            ln1: Norm::new(config, weights, &format!("{name}.ln1")),
            attn: Attention::new(config, weights, &format!("{name}.attn")),
            ln2: Norm::new(config, weights, &format!("{name}.ln2")),
            feed_forward,
            is_watched: false,
        }
    }

    /// Has a memory read from these slots.
    pub fn remember(&mut self, slots: Slots) {
        match &mut self.feed_forward {
            FeedForward::Memory(_, remembered) => *remembered = slots,
            _ => self.attn.remember(slots),
        }
    }

    /// Has what its feed-forward layer or memory adds told by itself.
    pub fn watch(&mut self) {
        self.is_watched = true;
    }

    /// Has the values that its memory finds trained, of whatever kind it is.
    pub fn train_values(&mut self) {
        if let FeedForward::Memory(memory, _) = &mut self.feed_forward {
            memory.train_values();
        }
    }

    /// # Shapes
    /// `resid_pre`: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        resid_pre: Tensor<3>,
        rotation: Option<&Rotation>,
        mask: &Mask,
        dropout: Dropout,
    ) -> BlockOutput {
        let normed = self.ln1.forward(resid_pre.clone());
        let attended = self.attn.forward(normed, resid_pre, rotation, mask, dropout);
        let Attended { resid: resid_mid, pattern, read: of_attention } = attended;
        let before = self.is_watched.then(|| resid_mid.clone());
        let (resid_post, read) = self.feed_forward(resid_mid, dropout);
        let written = before.map(|before| resid_post.clone() - before);
        BlockOutput { resid_post, pattern, read: of_attention.or(read), written }
    }

    /// Room for the keys and values of `context` tokens.
    pub fn cache(&self, context: usize) -> KeyValues {
        self.attn.cache(context)
    }

    /// The residual stream after this block, of tokens that follow those in `cache`, and join them.
    ///
    /// # Shapes
    /// `resid_pre` and the result: `[1, seq, d_model]`
    pub fn forward_cached(
        &self,
        resid_pre: Tensor<3>,
        rotation: Option<&Rotation>,
        cache: &mut KeyValues,
    ) -> Tensor<3> {
        let normed = self.ln1.forward(resid_pre.clone());
        let resid_mid = self.attn.forward_cached(normed, resid_pre, rotation, cache);
        self.feed_forward(resid_mid, Dropout::NONE).0
    }

    fn feed_forward(&self, resid: Tensor<3>, dropout: Dropout) -> (Tensor<3>, Option<LayerRead>) {
        let normed = || self.ln2.forward(resid.clone());
        match &self.feed_forward {
            FeedForward::Nothing => (resid, None),
            FeedForward::Mlp(mlp) => (mlp.forward(normed(), resid, dropout), None),
            FeedForward::ProductKey(keys) => (keys.forward(normed(), resid, dropout), None),
            FeedForward::Memory(memory, slots) => {
                let (resid, read) = memory.forward(normed(), resid, slots, dropout);
                (resid, Some(read))
            }
        }
    }
}
