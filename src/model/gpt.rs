//! The whole model: tokens to logits.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

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
use crate::plain::Plain;

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
    /// Whether each layer but the last reads what the layer above it wrote for the token before.
    feeds_back: bool,
    /// With feedback, what computes what is fed back, which is a constant: the same model with weights
    /// that are not trained, if these are; and on the CPU in plain loops.
    constant: Option<Box<Gpt>>,
    plain: Option<Box<Plain>>,
}

/// A batch as the blocks take it.
struct Embedded<'a> {
    resid: Tensor<3>, // [batch, seq, d_model]
    rotation: Option<Rotation>,
    mask: &'a Mask,
    dropout: Dropout,
}

/// What the blocks do to a batch, block by block.
#[derive(Default)]
struct Passed {
    /// What each block added, if it is fed back: `[batch, seq, d_model]`.
    added: Vec<Tensor<3>>,
    patterns: Vec<Pattern>,
    reads: Vec<(usize, LayerRead)>,
    written: Vec<Tensor<3>>,
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
        let feeds_back = config.feeds_back();
        let constant = if feeds_back { weights.constant() } else { None };
        let mut constant = constant.map(|weights| Box::new(Self::new(config, &weights)));
        let plain = match &mut constant {
            Some(constant) => constant.plain.take(),
            None if feeds_back => weights.plain(config).map(Box::new),
            None => None,
        };
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
            feeds_back,
            plain,
            constant,
        }
    }

    /// Has its memories read from what is remembered.
    pub fn remember(mut self, bank: &Bank, device: &Device) -> Self {
        for (layer, block) in self.blocks.iter_mut().enumerate() {
            if let Some(memory) = bank.layer(layer) {
                let slots = Slots::new(&memory.store, device);
                if let Some(constant) = &mut self.constant {
                    constant.blocks[layer].remember(slots.clone());
                }
                block.remember(slots);
            }
        }
        if let (Some(neighbours), Some(memory)) = (&mut self.neighbours, bank.output()) {
            neighbours.remember(Slots::new(&memory.store, device));
        }
        self.plain = self.plain.map(|plain| Box::new(plain.remember(bank)));
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
        let is_clean = forgotten.is_none() && dropout.is_none();
        let mask = Mask::causal(forgotten);
        let fed_back = match (&self.plain, &self.constant) {
            _ if !self.feeds_back => Vec::new(),
            (Some(plain), _) if is_clean => in_loops(plain, tokens.clone()),
            (_, Some(constant)) => {
                let fed_back =
                    constant.fed_back(&constant.embed(tokens.clone().inner(), &mask, dropout));
                fed_back.into_iter().map(Tensor::autodiff).collect()
            }
            (_, None) => self.fed_back(&self.embed(tokens.clone(), &mask, dropout)),
        };
        let (resid, passed) = self.pass(&self.embed(tokens, &mask, dropout), &fed_back);
        let Passed { patterns, mut reads, written, .. } = passed;
        let normed = self.ln_final.forward(resid);
        if let Some(neighbours) = self.neighbours.as_ref().filter(|_| self.is_noted) {
            reads.push((self.blocks.len(), neighbours.read(&normed)));
        }
        Output { logits: self.predict(normed.clone()), normed, patterns, reads, written }
    }

    /// What each layer but the last reads of the layer above it: `[batch, seq, d_model]` each; of a model
    /// with feedback.
    ///
    /// It takes a pass for every token but the last. Each is fed what the one before wrote: the first
    /// token needs nothing, so it is right after one pass, the second after two, and so on.
    fn fed_back(&self, batch: &Embedded) -> Vec<Tensor<3>> {
        let [_, seq, _] = batch.resid.dims();
        let mut fed_back = Vec::new();
        for _ in 1..seq {
            let (_, Passed { added, .. }) = self.pass(batch, &fed_back);
            fed_back = added.into_iter().skip(1).map(shift).collect();
        }
        fed_back
    }

    fn embed<'a>(&self, tokens: Tensor<2, Int>, mask: &'a Mask, dropout: Dropout) -> Embedded<'a> {
        let rotation = self.rotation(0, tokens.dims()[1], &tokens.device());
        let resid = dropout.apply(embed(tokens, &self.w_e, self.w_pos.as_ref(), 0));
        Embedded { resid, rotation, mask, dropout }
    }

    /// The residual stream after all blocks, of which the first ones add what is fed back to them, and
    /// what else they did.
    fn pass(&self, batch: &Embedded, fed_back: &[Tensor<3>]) -> (Tensor<3>, Passed) {
        let mut passed = Passed::default();
        let mut resid = batch.resid.clone();
        for (layer, block) in self.blocks.iter().enumerate() {
            if let Some(above) = fed_back.get(layer) {
                resid = resid + above.clone();
            }
            let dropout = batch.dropout.site((layer as u32 + 1) << 2);
            let before = self.feeds_back.then(|| resid.clone());
            let output = block.forward(resid, batch.rotation.as_ref(), batch.mask, dropout);
            let BlockOutput { resid_post, pattern, read, written } = output;
            passed.added.extend(before.map(|before| resid_post.clone() - before));
            resid = resid_post;
            passed.patterns.push(pattern);
            passed.reads.extend(read.map(|read| (layer, read)));
            passed.written.extend(written);
        }
        (resid, passed)
    }

    /// Logits after the last of `tokens`, which follow those in `caches`; of a model on a GPU.
    ///
    /// # Shapes
    /// `tokens`: `[1, seq]`, one token unless the caches are empty; logits: `[1, 1, vocab]`
    pub fn forward_cached(&self, tokens: Tensor<2, Int>, caches: &mut Caches) -> Tensor<3> {
        let [_, seq] = tokens.dims();
        // A token reads what is fed back of the one before, so that must be done.
        let first = if self.feeds_back { seq - 1 } else { 0 };
        for at in 0..first {
            self.pass_cached(tokens.clone().narrow(1, at, 1), caches);
        }
        let rest = if first > 0 { tokens.narrow(1, first, 1) } else { tokens };
        let resid = self.pass_cached(rest, caches);
        let last = resid.narrow(1, seq - first - 1, 1);
        self.predict(self.ln_final.forward(last))
    }

    /// The residual stream after the last block: `[1, seq, d_model]`.
    fn pass_cached(&self, tokens: Tensor<2, Int>, caches: &mut Caches) -> Tensor<3> {
        let [_, seq] = tokens.dims();
        let start = caches.len();
        let rotation = self.rotation(start, seq, &tokens.device());
        let mut resid = embed(tokens, &self.w_e, self.w_pos.as_ref(), start);
        let added = std::mem::take(&mut caches.added);
        for (layer, (block, cache)) in self.blocks.iter().zip(&mut caches.layers).enumerate() {
            if let Some(above) = added.get(layer + 1) {
                resid = resid + above.clone();
            }
            let before = self.feeds_back.then(|| resid.clone());
            resid = block.forward_cached(resid, rotation.as_ref(), cache);
            caches.added.extend(before.map(|before| resid.clone() - before));
        }
        resid
    }

    /// Empty caches for [`forward_cached`](Self::forward_cached).
    pub fn caches(&self) -> Caches {
        let layers = self.blocks.iter().map(|block| block.cache(self.context)).collect();
        Caches { layers, added: Vec::new() }
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

/// What each layer but the last reads of the layer above it, token by token: `[batch, seq, d_model]` each;
/// of a model on the CPU from which nothing is taken away.
///
/// # Shapes
/// `tokens`: `[batch, seq]`
fn in_loops(plain: &Plain, tokens: Tensor<2, Int>) -> Vec<Tensor<3>> {
    let ([batch, seq], device) = (tokens.dims(), tokens.device());
    let ids: Vec<u32> = tokens.into_data().iter().collect();
    let by_row: Vec<_> = ids.chunks(seq).map(|ids| plain.fed_back(ids)).collect();
    let of_layer = |layer: usize| {
        let values: Vec<f32> = by_row.iter().flat_map(|row| row[layer].iter().copied()).collect();
        let d_model = values.len() / (batch * seq);
        Tensor::from_data(TensorData::new(values, [batch, seq, d_model]), &device)
    };
    (0..by_row.first().map_or(0, Vec::len)).map(of_layer).collect()
}

/// Each token's row at the token after; the first token's is 0.
///
/// # Shapes
/// `rows` and the result: `[batch, seq, d_model]`
fn shift(rows: Tensor<3>) -> Tensor<3> {
    let [batch, seq, d_model] = rows.dims();
    let first = Tensor::zeros([batch, 1, d_model], &rows.device());
    Tensor::cat(vec![first, rows.narrow(1, 0, seq - 1)], 1)
}

/// The keys and values of every layer.
#[derive(Debug)]
pub struct Caches {
    layers: Vec<KeyValues>,
    /// What each layer added at the last token, if that is fed back: `[1, 1, d_model]` each.
    added: Vec<Tensor<3>>,
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
