//! The whole model: tokens to logits.

use burn::tensor::{Bool, Device, Int, Tensor};

use super::Weights;
use super::attention::Pattern;
use super::block::{Block, BlockOutput};
use super::memory::LayerRead;
use super::neighbours::Neighbours;
use super::norm::Norm;
use super::rotary::Rotation;
use super::slots::Slots;
use crate::config::{ModelConfig, Positions};
use crate::kernel::attention::{KeyValues, Mask};
use crate::kernel::dropout::Dropout;
use crate::kernel::embedding::embed;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;
use crate::memory::Bank;

#[derive(Clone, Debug)]
pub struct Gpt {
    w_e: Param<2>,           // [vocab, d_model]
    w_pos: Option<Param<2>>, // [context, d_model], of learned positions
    blocks: Vec<Block>,
    ln_final: Norm,
    w_u: Option<Linear>, // [d_model, vocab], unless it is the transpose of `w_e`
    context: usize,
    /// Width of a head and base of its angles, of rotary positions.
    rotary: Option<(usize, f64)>,
    /// What is mixed into the prediction, of a model that remembers what followed.
    neighbours: Option<Neighbours>,
    /// Whether what its output would remember is told.
    is_noted: bool,
}

/// What a forward pass over a batch computes.
#[derive(Clone, Debug)]
pub struct Output {
    /// Of the token that follows each: `[batch, seq, vocab]`.
    pub logits: Tensor<3>,
    /// What is unembedded: `[batch, seq, d_model]`.
    pub normed: Tensor<3>,
    /// Of each layer.
    pub patterns: Vec<Pattern>,
    /// Of each layer with a memory, and its number; of the output, if it is noted, the number of layers.
    pub reads: Vec<(usize, LayerRead)>,
    /// What the feed-forward layers and memories that are watched added to the residual stream, in the
    /// order of their layers: `[batch, seq, d_model]` each.
    pub written: Vec<Tensor<3>>,
}

impl Gpt {
    pub fn new(config: &ModelConfig, weights: &Weights) -> Self {
        let block = |layer| Block::new(config, weights, layer);
        let is_learned = config.positions == Positions::Learned;
        let is_rotary = config.positions == Positions::Rotary;
        Self {
            w_e: weights.matrix("embed.W_E"),
            w_pos: is_learned.then(|| weights.matrix("pos_embed.W_pos")),
            blocks: (0..config.n_layers).map(block).collect(),
            ln_final: Norm::new(config, weights, "ln_final"),
            w_u: (!config.tied_head).then(|| weights.linear("unembed", "U")),
            context: config.context,
            rotary: is_rotary.then(|| (config.d_head(), config.rope_base)),
            neighbours: Neighbours::new(config),
            is_noted: false,
        }
    }

    /// Has its memories read from what is remembered.
    pub fn remember(mut self, bank: &Bank, device: &Device) -> Self {
        for (layer, block) in self.blocks.iter_mut().enumerate() {
            if let Some(memory) = bank.layer(layer) {
                block.remember(Slots::new(&memory.store, device));
            }
        }
        if let (Some(neighbours), Some(memory)) = (&mut self.neighbours, bank.output()) {
            neighbours.remember(Slots::new(&memory.store, device));
        }
        self
    }

    /// Has passes in training tell what the output is to remember.
    pub fn note(mut self) -> Self {
        self.is_noted = true;
        self
    }

    /// Has forward passes tell what the feed-forward layers or memories of these layers add.
    pub fn watch(mut self, layers: &[usize]) -> Self {
        for layer in layers {
            self.blocks[*layer].watch();
        }
        self
    }

    /// Has the values that memories find trained, of whatever kind they are.
    pub fn train_values(mut self) -> Self {
        self.blocks.iter_mut().for_each(Block::train_values);
        self
    }

    /// Logits of the token that follows each token, and each layer's attention pattern.
    ///
    /// # Shapes
    /// `tokens`: `[batch, seq]`, at most `context` long; logits: `[batch, seq, vocab]`
    pub fn forward(&self, tokens: Tensor<2, Int>) -> (Tensor<3>, Vec<Pattern>) {
        let Output { logits, patterns, .. } = self.forward_training(tokens, None, Dropout::NONE);
        (logits, patterns)
    }

    /// As [`forward`](Self::forward), with what training takes away: some activations, and the
    /// sight of `forgotten` tokens, which must not be first in their row.
    ///
    /// # Shapes
    /// `forgotten`: `[batch, seq]`
    pub fn forward_training(
        &self,
        tokens: Tensor<2, Int>,
        forgotten: Option<Tensor<2, Bool>>,
        dropout: Dropout,
    ) -> Output {
        let rotation = self.rotation(0, tokens.dims()[1], &tokens.device());
        let mask = Mask::causal(forgotten);
        let mut patterns = Vec::with_capacity(self.blocks.len());
        let (mut reads, mut written) = (Vec::new(), Vec::new());
        let mut resid = dropout.apply(embed(tokens, &self.w_e, self.w_pos.as_ref(), 0));
        for (block, number) in self.blocks.iter().zip(1..) {
            let dropout = dropout.site(number << 2);
            let output = block.forward(resid, rotation.as_ref(), &mask, dropout);
            let BlockOutput { resid_post, pattern, read, written: added } = output;
            resid = resid_post;
            written.extend(added);
            reads.extend(read.map(|read| (patterns.len(), read)));
            patterns.push(pattern);
        }
        let normed = self.ln_final.forward(resid);
        if let Some(neighbours) = self.neighbours.as_ref().filter(|_| self.is_noted) {
            reads.push((self.blocks.len(), neighbours.read(&normed)));
        }
        Output { logits: self.predict(normed.clone()), normed, patterns, reads, written }
    }

    /// Logits after the last of `tokens`, which follow those in `caches`; of a model on a GPU.
    ///
    /// # Shapes
    /// `tokens`: `[1, seq]`, one token unless the caches are empty; logits: `[1, 1, vocab]`
    pub fn forward_cached(&self, tokens: Tensor<2, Int>, caches: &mut Caches) -> Tensor<3> {
        let [_, seq] = tokens.dims();
        let start = caches.len();
        let rotation = self.rotation(start, seq, &tokens.device());
        let mut resid = embed(tokens, &self.w_e, self.w_pos.as_ref(), start);
        for (block, cache) in self.blocks.iter().zip(&mut caches.layers) {
            resid = block.forward_cached(resid, rotation.as_ref(), cache);
        }
        let last = resid.narrow(1, seq - 1, 1);
        self.predict(self.ln_final.forward(last))
    }

    /// Empty caches for [`forward_cached`](Self::forward_cached).
    pub fn caches(&self) -> Caches {
        Caches { layers: self.blocks.iter().map(|block| block.cache(self.context)).collect() }
    }

    fn rotation(&self, start: usize, seq: usize, device: &Device) -> Option<Rotation> {
        let (d_head, base) = self.rotary?;
        Some(Rotation::new(start, seq, d_head, base, device))
    }

    /// Logits, into which neighbours are mixed but where gradients are taken: those are the model's alone.
    fn predict(&self, normed: Tensor<3>) -> Tensor<3> {
        let logits = self.unembed(normed.clone());
        match &self.neighbours {
            Some(neighbours) if !normed.is_autodiff() => neighbours.mix(logits, normed),
            _ => logits,
        }
    }

    fn unembed(&self, normed: Tensor<3>) -> Tensor<3> {
        match &self.w_u {
            Some(w_u) => w_u.apply(normed),
            None => Linear::unembed(&self.w_e, normed),
        }
    }
}

/// The keys and values of every layer.
#[derive(Debug)]
pub struct Caches {
    layers: Vec<KeyValues>,
}

impl Caches {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, KeyValues::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
