//! The whole model: tokens, or vectors in their place, to logits.

use burn::tensor::{Bool, Device, Int, Tensor};

use super::Weights;
use super::block::{Block, BlockOptions, BlockOutput};
use super::memory::LayerRead;
use super::mixer::MixerState;
use super::neighbours::Neighbours;
use super::norm::Norm;
use super::rotary::Rotation;
use crate::arch::Rotary;
use crate::config::{ModelConfig, Positions};
use crate::data::Inputs;
use crate::kernel::attention::Mask;
use crate::kernel::dropout::Dropout;
use crate::kernel::embedding::embed;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;
use crate::kernel::recall::Mirrors;
use crate::kernel::rows::Places;
use crate::memory::Bank;

#[derive(Clone, Debug)]
pub struct Gpt {
    w_e: Param<2>,           // [vocab, d_model]
    w_pos: Option<Param<2>>, // [context, d_model], of learned positions
    blocks: Vec<Block>,
    ln_final: Norm,
    w_u: Option<Linear>, // [d_model, vocab], unless it is the transpose of `w_e`
    context: usize,
    rotary: Option<Rotary>,
    /// A nearest-neighbour language model, mixed into the prediction.
    neighbours: Option<Neighbours>,
    feeds_back: bool,
}

/// Options of a forward pass over a batch.
#[derive(Clone, Debug, Default)]
pub struct PassOptions {
    /// Tokens that no later one sees, which must not be first in their row: `[batch, seq]`.
    pub forgotten: Option<Tensor<2, Bool>>,
    pub dropout: Dropout,
    /// Feedback values of each layer but the last: `[batch, seq, d_model]` each. Empty without feedback.
    pub feedback: Vec<Tensor<3>>,
    /// Layers whose feed-forward output is kept in [`Output::written`].
    pub watched: Vec<usize>,
    /// Keep what the memory of the output would write in [`Output::reads`].
    pub reads_output: bool,
    /// Train the values that memories find, whatever their kind.
    pub trains_values: bool,
    /// Tokens after which the next is predicted; `None` for all.
    pub places: Option<Places>,
}

/// A batch as the blocks take it.
struct Embedded {
    resid: Tensor<3>, // [batch, seq, d_model]
    rotation: Option<Rotation>,
    mask: Mask,
}

/// The result of a pass through the blocks.
#[derive(Default)]
struct Passed {
    /// Vectors that each block added to the residual stream, if that is fed back: `[batch, seq, d_model]`.
    added: Vec<Tensor<3>>,
    reads: Vec<(usize, LayerRead)>,
    written: Vec<Tensor<3>>,
}

/// The result of a forward pass over a batch.
#[derive(Clone, Debug)]
pub struct Output {
    /// Predictions of the token that follows each: `[batch, seq, vocab]`, or `[1, count, vocab]` at some places.
    pub logits: Tensor<3>,
    /// The input of the unembedding, with as many rows: `[batch, seq, d_model]`.
    pub normed: Tensor<3>,
    /// Look-ups of each layer with a memory, by its number; those of the output by the number of layers.
    pub reads: Vec<(usize, LayerRead)>,
    /// Outputs of the watched feed-forward layers, in their order: `[batch, seq, d_model]` each.
    pub written: Vec<Tensor<3>>,
}

impl Gpt {
    pub fn new(config: &ModelConfig, weights: &Weights) -> Self {
        let block = |layer| Block::new(config, weights, layer);
        let is_learned = config.positions == Positions::Learned;
        Self {
            w_e: weights.matrix("embed.W_E"),
            w_pos: is_learned.then(|| weights.matrix("pos_embed.W_pos")),
            blocks: (0..config.n_layers).map(block).collect(),
            ln_final: Norm::new(config, weights, "ln_final"),
            w_u: (!config.tied_head).then(|| weights.linear("unembed", "U")),
            context: config.context,
            rotary: Rotary::of(config),
            neighbours: Neighbours::new(config),
            feeds_back: config.feeds_back(),
        }
    }

    /// The model with its memories reading from the slots of `bank`.
    pub fn remember(mut self, bank: &Bank, mirrors: &Mirrors, device: &Device) -> Self {
        for (layer, block) in self.blocks.iter_mut().enumerate() {
            if let Some(memory) = bank.layer(layer) {
                block.remember(mirrors.slots(layer, &memory.store, device));
            }
        }
        if let (Some(neighbours), Some(memory)) = (&mut self.neighbours, bank.output()) {
            neighbours.remember(mirrors.slots(self.blocks.len(), &memory.store, device));
        }
        self
    }

    /// Logits of the token that follows each input, of which a row has at most `context`.
    pub fn forward(&self, inputs: impl Into<Inputs>, options: &PassOptions) -> Output {
        let embedded = self.embed(inputs.into(), options);
        let (resid, passed) = self.pass(&embedded, options, &options.feedback);
        let Passed { mut reads, written, .. } = passed;
        let normed = self.ln_final.forward(resid);
        if let Some(neighbours) = self.neighbours.as_ref().filter(|_| options.reads_output) {
            reads.push((self.blocks.len(), neighbours.read(&normed)));
        }
        let normed = match &options.places {
            Some(places) => places.of(normed),
            None => normed,
        };
        Output { logits: self.predict(normed.clone()), normed, reads, written }
    }

    /// Feedback values of each layer but the last: `[batch, seq, d_model]` each; of a model with feedback.
    ///
    /// It takes a pass for every token but the last. Each is fed the values of the one before: the first
    /// token needs none, so it is right after one pass, the second after two, and so on.
    pub fn feedback(&self, inputs: Inputs, options: &PassOptions) -> Vec<Tensor<3>> {
        let [_, seq] = inputs.dims();
        let embedded = self.embed(inputs, options);
        let mut feedback = Vec::new();
        for _ in 1..seq {
            let (_, Passed { added, .. }) = self.pass(&embedded, options, &feedback);
            feedback = added.into_iter().skip(1).map(shift).collect();
        }
        feedback
    }

    fn embed(&self, inputs: Inputs, options: &PassOptions) -> Embedded {
        let [_, seq] = inputs.dims();
        let rotation = self.rotation(0, seq, &inputs.device());
        let resid = match inputs {
            Inputs::Tokens(tokens) => embed(tokens, &self.w_e, self.w_pos.as_ref(), 0),
            Inputs::Vectors(vectors) => match &self.w_pos {
                Some(w_pos) => vectors + w_pos.tensor().narrow(0, 0, seq).unsqueeze::<3>(),
                None => vectors,
            },
        };
        let resid = options.dropout.apply(resid);
        Embedded { resid, rotation, mask: Mask::causal(options.forgotten.clone()) }
    }

    /// The residual stream after all blocks, of which the first ones add `feedback`, and what else they did.
    fn pass(
        &self,
        batch: &Embedded,
        options: &PassOptions,
        feedback: &[Tensor<3>],
    ) -> (Tensor<3>, Passed) {
        let mut passed = Passed::default();
        let mut resid = batch.resid.clone();
        for (layer, block) in self.blocks.iter().enumerate() {
            if let Some(above) = feedback.get(layer) {
                resid = resid + above.clone();
            }
            let of_block = BlockOptions {
                dropout: options.dropout.site((layer as u32 + 1) << 2),
                trains_values: options.trains_values,
                is_watched: options.watched.contains(&layer),
            };
            let before = self.feeds_back.then(|| resid.clone());
            let output = block.forward(resid, batch.rotation.as_ref(), &batch.mask, of_block);
            let BlockOutput { resid_post, written, read } = output;
            passed.added.extend(before.map(|before| resid_post.clone() - before));
            passed.written.extend(written);
            resid = resid_post;
            passed.reads.extend(read.map(|read| (layer, read)));
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
        let layers = self.blocks.iter().map(|block| block.state(self.context)).collect();
        Caches { layers, added: Vec::new() }
    }

    fn rotation(&self, start: usize, seq: usize, device: &Device) -> Option<Rotation> {
        Some(Rotation::new(self.rotary?, start, seq, device))
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

/// Each token's row at the token after; the first token's is 0.
///
/// # Shapes
/// `rows` and the result: `[batch, seq, d_model]`
fn shift(rows: Tensor<3>) -> Tensor<3> {
    let [batch, seq, d_model] = rows.dims();
    let first = Tensor::zeros([batch, 1, d_model], &rows.device());
    Tensor::cat(vec![first, rows.narrow(1, 0, seq - 1)], 1)
}

/// The states of every layer's mixer.
#[derive(Debug)]
pub struct Caches {
    layers: Vec<MixerState>,
    /// Vectors that each layer added at the last token, if that is fed back: `[1, 1, d_model]` each.
    added: Vec<Tensor<3>>,
}

impl Caches {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, MixerState::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
