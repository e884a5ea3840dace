//! One transformer block, which reads through norms.

use burn::tensor::Tensor;

use super::Weights;
use super::memory::{LayerRead, MemoryLayer};
use super::mixer::{Mixer, MixerState};
use super::mlp::Mlp;
use super::norm::Norm;
use super::product_key::ProductKey;
use super::rotary::Rotation;
use crate::arch;
use crate::config::{BlockKind, ModelConfig};
use crate::kernel::attention::Mask;
use crate::kernel::dropout::Dropout;
use crate::kernel::recall::Slots;

#[derive(Clone, Debug)]
pub struct Block {
    ln1: Norm,
    mixer: Mixer,
    ln2: Norm,
    feed_forward: FeedForward,
    kind: BlockKind,
}

/// The layer beside the mixer.
#[derive(Clone, Debug)]
enum FeedForward {
    None,
    Mlp(Mlp),
    ProductKey(ProductKey),
    Memory(MemoryLayer, Slots),
}

/// Options of a pass through one block.
#[derive(Clone, Copy, Debug)]
pub struct BlockOptions {
    pub dropout: Dropout,
    /// Train the values that its memory finds, whatever its kind.
    pub trains_values: bool,
    /// Keep the output of its feed-forward layer.
    pub is_watched: bool,
}

/// The result of a block on a batch.
#[derive(Clone, Debug)]
pub struct BlockOutput {
    /// `[batch, seq, d_model]`
    pub resid_post: Tensor<3>,
    /// The output of its feed-forward layer, if it is watched: `[batch, seq, d_model]`.
    pub written: Option<Tensor<3>>,
    /// The look-up of a block with a memory.
    pub read: Option<LayerRead>,
}

impl Block {
    /// Block `layer`, whose memory, if it has one, is empty.
    pub fn new(config: &ModelConfig, weights: &Weights, layer: usize) -> Self {
        let name = format!("blocks.{layer}");
        let (mlp, memory) = (format!("{name}.mlp"), format!("{name}.memory"));
        let feed_forward = match arch::FeedForward::of(config, layer) {
            arch::FeedForward::None => FeedForward::None,
            arch::FeedForward::Mlp(part) => FeedForward::Mlp(Mlp::new(part, weights, &mlp)),
            arch::FeedForward::ProductKeys(part) => {
                FeedForward::ProductKey(ProductKey::new(part, weights, &memory))
            }
            arch::FeedForward::Memory(part) => {
                FeedForward::Memory(MemoryLayer::new(part, weights, &memory), Slots::Empty)
            }
        };
        Self {
            ln1: Norm::new(config, weights, &format!("{name}.ln1")),
            mixer: Mixer::new(config, weights, layer),
            ln2: Norm::new(config, weights, &format!("{name}.ln2")),
            feed_forward,
            kind: config.block,
        }
    }

    /// Attaches these slots to its memory.
    pub fn remember(&mut self, slots: Slots) {
        match &mut self.feed_forward {
            FeedForward::Memory(_, remembered) => *remembered = slots,
            FeedForward::None | FeedForward::Mlp(_) | FeedForward::ProductKey(_) => {
                self.mixer.remember(slots);
            }
        }
    }

    /// # Shapes
    /// `resid_pre`: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        resid_pre: Tensor<3>,
        rotation: Option<&Rotation>,
        mask: &Mask,
        options: BlockOptions,
    ) -> BlockOutput {
        let normed = self.ln1.forward(resid_pre.clone());
        let BlockOptions { dropout, trains_values, is_watched } = options;
        let found = resid_pre.clone();
        let (resid_mid, mixed) = self.mixer.forward(normed, resid_pre, rotation, mask, dropout);
        let before = is_watched.then(|| resid_mid.clone());
        let (resid_post, read) = self.feed_forward(found, resid_mid, dropout, trains_values);
        let written = before.map(|before| resid_post.clone() - before);
        BlockOutput { resid_post, written, read: mixed.or(read) }
    }

    /// An empty state for [`forward_cached`](Self::forward_cached), with room for `context` tokens.
    pub fn state(&self, context: usize) -> MixerState {
        self.mixer.state(context)
    }

    /// The residual stream after this block, of tokens that follow those in `state`, and join them.
    ///
    /// # Shapes
    /// `resid_pre` and the result: `[1, seq, d_model]`
    pub fn forward_cached(
        &self,
        resid_pre: Tensor<3>,
        rotation: Option<&Rotation>,
        state: &mut MixerState,
    ) -> Tensor<3> {
        let normed = self.ln1.forward(resid_pre.clone());
        let found = resid_pre.clone();
        let resid_mid = self.mixer.forward_cached(normed, resid_pre, rotation, state);
        self.feed_forward(found, resid_mid, Dropout::NONE, false).0
    }

    /// The residual stream after the feed-forward layer has written into `resid`, to which the mixer has added, and the look-up
    /// of its memory. `found` is the stream before both.
    fn feed_forward(
        &self,
        found: Tensor<3>,
        resid: Tensor<3>,
        dropout: Dropout,
        trains_values: bool,
    ) -> (Tensor<3>, Option<LayerRead>) {
        let read = match self.kind {
            BlockKind::PreNorm => resid.clone(),
            BlockKind::Parallel => found,
        };
        let normed = || self.ln2.forward(read);
        match &self.feed_forward {
            FeedForward::None => (resid, None),
            FeedForward::Mlp(mlp) => (mlp.forward(normed(), resid, dropout), None),
            FeedForward::ProductKey(keys) => (keys.forward(normed(), resid, dropout), None),
            FeedForward::Memory(memory, slots) => {
                let (resid, read) = memory.forward(normed(), resid, slots, dropout, trains_values);
                (resid, Some(read))
            }
        }
    }
}
