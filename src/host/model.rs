//! The whole model: tokens to logits, and every activation between.

#[cfg(feature = "cli")]
mod quantize;

use super::block::Block;
use super::cache::{ActivationCache, LayerActivations};
use super::intervene::Interventions;
use super::linear::{Linear, Parameters};
use super::memory::Recalled;
use super::mixer::MixerState;
use super::neighbours::Neighbours;
use super::norm::Norm;
use super::vector::{add, less, sum};
use super::weights::{Values, Weights};
use crate::arch::Layout;
#[cfg(feature = "cli")]
use crate::base::parallel::on_core;
use crate::config::ModelConfig;
use crate::memory::Bank;
use crate::run::{ActivationIntervention, Site};

#[cfg(feature = "cli")]
pub use quantize::NotFinite;

#[derive(Clone, Debug)]
pub struct HostModel {
    n_heads: usize,
    d_head: usize,
    d_model: usize,
    /// True if each layer but the last adds the output of the layer above at the previous token.
    feeds_back: bool,
    w_e: Values,     // [vocab, d_model]
    w_pos: Vec<f32>, // [context, d_model], empty unless positions are learned
    blocks: Vec<Block>,
    ln_final: Norm,
    unembed: Linear,
    neighbours: Option<Neighbours>,
    vocab_size: usize,
    /// Interventions on every forward pass.
    ablations: Vec<ActivationIntervention>,
    /// True if products of one token are large enough for several cores.
    #[cfg(feature = "cli")]
    is_large: bool,
}

/// Mixer states of all layers, for [`HostModel::decode`].
#[derive(Clone, Debug, Default)]
pub struct Cache {
    layers: Vec<MixerState>,
    /// Output of each layer at the last token, for feedback: `[d_model]` each; empty without feedback.
    added: Vec<Vec<f32>>,
    /// Number of tokens.
    len: usize,
}

impl Cache {
    /// Numbers that it holds.
    pub fn numbers(&self) -> usize {
        let states = self.layers.iter().map(MixerState::numbers).sum::<usize>();
        states + self.added.iter().map(Vec::len).sum::<usize>()
    }
}

/// Prompt tokens decoded at once, to bound the memory for patterns.
const PROMPT_PART: usize = 64;
/// Parameters of a model whose products of one token are worth several cores.
#[cfg(feature = "cli")]
const LARGE: usize = 1 << 20;

impl HostModel {
    /// A model of these weights, which it shares.
    ///
    /// # Panics
    /// If `layout` is not that of `config`, or the weights are another model's.
    pub fn new(config: &ModelConfig, layout: &Layout, weights: impl Into<Weights>) -> Self {
        let weights = weights.into();
        let parameters = Parameters { layout, weights: &weights };
        let block = |layer| Block::new(config, parameters, layer);
        let w_e = parameters.shared("embed.W_E");
        let vocab_size = w_e.numbers().len() / config.d_model;
        let w_u = match layout.find("unembed.W_U") {
            Some(w_u) => weights.values(w_u),
            None => w_e.transposed(vocab_size),
        };
        Self {
            n_heads: config.n_heads,
            d_head: config.d_head(),
            d_model: config.d_model,
            feeds_back: config.feeds_back(),
            unembed: Linear::new(w_u, vocab_size),
            w_e,
            w_pos: parameters.get("pos_embed.W_pos").unwrap_or_default(),
            blocks: (0..config.n_layers).map(block).collect(),
            ln_final: Norm::new(config, parameters, "ln_final"),
            neighbours: Neighbours::new(config),
            vocab_size,
            ablations: Vec::new(),
            #[cfg(feature = "cli")]
            is_large: layout.len() >= LARGE,
        }
    }

    /// Applies `ablations` in every forward pass, in their order and before those of [`record`](Self::record). Those
    /// that do not fit the model are ignored.
    pub fn ablate(self, ablations: Vec<ActivationIntervention>) -> Self {
        Self { ablations, ..self }
    }

    /// Sets the stores of all memories.
    pub fn remember(mut self, bank: &Bank) -> Self {
        for (layer, block) in self.blocks.iter_mut().enumerate() {
            if let Some(memory) = bank.layer(layer) {
                block.remember(memory.store.clone());
            }
        }
        if let (Some(neighbours), Some(memory)) = (&mut self.neighbours, bank.output()) {
            neighbours.remember(memory.store.clone());
        }
        self
    }

    /// Logits after the last of `ids`: `[vocab]`. `ids` follow the tokens in `cache` and are appended to it.
    ///
    /// # Panics
    /// If the tokens exceed the context, or one is not in the vocabulary.
    pub fn decode(&self, ids: &[u32], cache: &mut Cache) -> Vec<f32> {
        #[cfg(feature = "cli")]
        if self.is_large {
            return on_core(|| self.decode_here(ids, cache));
        }
        self.decode_here(ids, cache)
    }

    fn decode_here(&self, ids: &[u32], cache: &mut Cache) -> Vec<f32> {
        let resid = self.pass_cached(ids, cache);
        let last = &resid[resid.len().saturating_sub(self.d_model)..];
        self.predict(&self.ln_final.forward(last)).0
    }

    /// Feedback that each layer but the last gets from the layer above: `[seq, d_model]` each.
    ///
    /// # Panics
    /// As in [`decode`](Self::decode).
    pub fn feedback(&self, ids: &[u32]) -> Vec<Vec<f32>> {
        let mut cache = Cache::default();
        let mut feedback = vec![vec![0.0; self.d_model]; self.blocks.len() - 1];
        for id in &ids[..ids.len().saturating_sub(1)] {
            self.pass_cached(&[*id], &mut cache);
            for (rows, above) in feedback.iter_mut().zip(cache.added.iter().skip(1)) {
                rows.extend_from_slice(above);
            }
        }
        feedback
    }

    /// Residual stream after the last block, at least for the last of `ids`.
    fn pass_cached(&self, ids: &[u32], cache: &mut Cache) -> Vec<f32> {
        if cache.layers.is_empty() {
            cache.layers = self.blocks.iter().map(Block::state).collect();
        }
        let mut resid = Vec::new();
        // Feedback needs the previous token to be complete.
        let part = if self.feeds_back { 1 } else { PROMPT_PART };
        for ids in ids.chunks(part) {
            resid = self.embed(ids);
            add(&mut resid, &self.pos_embed(cache.len, ids.len()));
            let added = std::mem::take(&mut cache.added);
            for (layer, (block, state)) in self.blocks.iter().zip(&mut cache.layers).enumerate() {
                if let Some(above) = added.get(layer + 1) {
                    add(&mut resid, above);
                }
                let ablations = Interventions { all: &self.ablations, layer, start: cache.len };
                ablations.apply(
                    |layer| Site::Resid { layer },
                    &mut resid,
                    self.d_model,
                    self.d_model,
                );
                let before = self.feeds_back.then(|| resid.clone());
                block.forward(&mut resid, state, self.d_model, ablations);
                cache.added.extend(before.map(|before| less(&resid, &before)));
            }
            cache.len += ids.len();
        }
        resid
    }

    /// Logits, and the look-up of the output's memory.
    fn predict(&self, normed: &[f32]) -> (Vec<f32>, Option<Recalled>) {
        let mut logits = self.unembed.forward(normed);
        let mix = |of: &Neighbours| of.mix(normed, self.d_model, &mut logits);
        let recalled = self.neighbours.as_ref().and_then(mix);
        (logits, recalled)
    }

    /// Records a forward pass over `ids`. Applies `interventions` in their order; those that do not fit the model or the
    /// prompt are ignored. Patterns take `n_layers * n_heads * seq²` numbers, and head outputs
    /// `n_layers * n_heads * seq * d_model`.
    ///
    /// With feedback there are as many passes as tokens, and each gets feedback from the previous pass. The first
    /// token needs none, so it equals [`decode`](Self::decode) after one pass, the second token after two, and so
    /// on.
    ///
    /// # Panics
    /// If the tokens exceed the context, or one is not in the vocabulary.
    pub fn record(&self, ids: &[u32], interventions: &[ActivationIntervention]) -> ActivationCache {
        let interventions = &[&self.ablations, interventions].concat();
        let mut recording = self.pass(ids, interventions, &[]);
        if self.feeds_back {
            for _ in 1..ids.len() {
                let above = recording.layers.iter().skip(1);
                let added = above.map(|layer| less(&layer.resid_post, &layer.resid_pre));
                let feedback: Vec<Vec<f32>> = added.map(|added| self.shift(&added)).collect();
                recording = self.pass(ids, interventions, &feedback);
            }
        }
        recording
    }

    /// One forward pass, with the feedback of each layer but the last: `[seq, d_model]` each.
    fn pass(
        &self,
        ids: &[u32],
        interventions: &[ActivationIntervention],
        feedback: &[Vec<f32>],
    ) -> ActivationCache {
        let (embed, pos_embed) = (self.embed(ids), self.pos_embed(0, ids.len()));
        let mut resid = sum(&embed, &pos_embed);
        let mut layers: Vec<LayerActivations> = Vec::with_capacity(self.blocks.len());
        for (layer, block) in self.blocks.iter().enumerate() {
            let feedback = feedback.get(layer).cloned().unwrap_or_default();
            let interventions = Interventions { all: interventions, layer, start: 0 };
            let recorded = block.record(resid, feedback, self.d_model, interventions);
            resid = recorded.resid_post.clone();
            layers.push(recorded);
        }
        let normed = self.ln_final.forward(&resid);
        let (logits, recalled) = self.predict(&normed);
        ActivationCache {
            seq: ids.len(),
            d_model: self.d_model,
            n_heads: self.n_heads,
            d_head: self.d_head,
            vocab_size: self.vocab_size,
            embed,
            pos_embed,
            layers,
            final_scale: self.ln_final.scales(&resid, self.d_model),
            logits,
            normed,
            recalled,
        }
    }

    /// Shifts each row to the next token; the first row is 0.
    ///
    /// # Shapes
    /// `rows` and the result: `[seq, d_model]`
    fn shift(&self, rows: &[f32]) -> Vec<f32> {
        let first = vec![0.0; self.d_model];
        [&first, &rows[..rows.len() - self.d_model]].concat()
    }

    fn embed(&self, ids: &[u32]) -> Vec<f32> {
        let mut embedded = Vec::with_capacity(ids.len() * self.d_model);
        for start in ids.iter().map(|id| *id as usize * self.d_model) {
            let row = self.w_e.numbers().slice(start..start + self.d_model);
            embedded.extend_from_slice(&row.widen());
        }
        embedded
    }

    /// Position embeddings of `seq` positions from `start`.
    fn pos_embed(&self, start: usize, seq: usize) -> Vec<f32> {
        if self.w_pos.is_empty() {
            return vec![0.0; seq * self.d_model];
        }
        self.w_pos[start * self.d_model..][..seq * self.d_model].to_vec()
    }
}
