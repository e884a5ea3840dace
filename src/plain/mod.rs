//! The model in plain numbers and loops, for the CPU alone: it writes on a token at a time, and
//! records a whole forward pass, changed by edits if there are any. The names and shapes are those
//! of [`model`](crate::model), of one row.

mod attention;
mod block;
mod edit;
mod linear;
mod matrix;
mod memorizing;
mod memory;
mod mlp;
mod neighbours;
mod norm;
mod recording;

pub use crate::edit::{Change, Edit, Site};
pub use matrix::Matrix;
pub use memory::Recalled;
pub use recording::{LayerRecording, Recording};

use crate::config::ModelConfig;
use crate::kernel::layer_norm::Scaling;
use crate::memory::Bank;
use crate::model::Layout;
use attention::KeyValues;
use block::Block;
use edit::Edits;
use linear::{Linear, Parameters};
use neighbours::Neighbours;
use norm::Norm;

#[derive(Clone, Debug)]
pub struct Plain {
    n_heads: usize,
    d_head: usize,
    d_model: usize,
    /// Whether each layer but the last adds what the layer above it left of the token before.
    feeds_back: bool,
    w_e: Vec<f32>,   // [vocab, d_model]
    w_pos: Vec<f32>, // [context, d_model], empty unless positions are learned
    blocks: Vec<Block>,
    ln_final: Norm,
    unembed: Linear,
    neighbours: Option<Neighbours>,
    vocab_size: usize,
}

/// The keys and values of every layer, for [`Plain::decode`].
#[derive(Clone, Debug, Default)]
pub struct Cache {
    layers: Vec<KeyValues>,
    /// What each layer added at the last token, if that is fed back: `[d_model]` each.
    added: Vec<Vec<f32>>,
    /// Tokens held.
    len: usize,
}

/// Tokens of a prompt that are decoded at once, which bounds what their patterns take.
const PROMPT_PART: usize = 64;

impl Plain {
    /// # Shapes
    /// `flat`: `[layout.len()]`
    ///
    /// # Panics
    /// If `layout` is not that of `config`, or `flat` is shorter.
    pub fn new(config: &ModelConfig, layout: &Layout, flat: &[f32]) -> Self {
        let parameters = Parameters { layout, flat };
        let get = |name: &str| parameters.get(name).unwrap_or_default();
        let block = |layer| Block::new(config, parameters, layer);
        let w_e = get("embed.W_E");
        let vocab_size = w_e.len() / config.d_model;
        let w_u = parameters.get("unembed.W_U").unwrap_or_else(|| transpose(&w_e, vocab_size));
        Self {
            n_heads: config.n_heads,
            d_head: config.d_head(),
            d_model: config.d_model,
            feeds_back: config.feeds_back(),
            unembed: Linear::new(w_u, vocab_size),
            w_e,
            w_pos: get("pos_embed.W_pos"),
            blocks: (0..config.n_layers).map(block).collect(),
            ln_final: Norm::new(Scaling::of(config), parameters, "ln_final"),
            neighbours: Neighbours::new(config),
            vocab_size,
        }
    }

    /// Has its memories read from what is remembered.
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

    /// Logits after the last of `ids`, which follow those in `cache`, and join them: `[vocab]`.
    ///
    /// # Panics
    /// If there are more tokens than the context holds, or one is not of the vocabulary.
    pub fn decode(&self, ids: &[u32], cache: &mut Cache) -> Vec<f32> {
        let resid = self.pass_cached(ids, cache);
        let last = &resid[resid.len().saturating_sub(self.d_model)..];
        self.predict(&self.ln_final.forward(last)).0
    }

    /// What each layer but the last reads of the layer above it: `[seq, d_model]` each.
    ///
    /// # Panics
    /// As in [`decode`](Self::decode).
    pub fn fed_back(&self, ids: &[u32]) -> Vec<Vec<f32>> {
        let mut cache = Cache::default();
        let mut fed_back = vec![vec![0.0; self.d_model]; self.blocks.len() - 1];
        for id in &ids[..ids.len().saturating_sub(1)] {
            self.pass_cached(&[*id], &mut cache);
            for (rows, above) in fed_back.iter_mut().zip(cache.added.iter().skip(1)) {
                rows.extend_from_slice(above);
            }
        }
        fed_back
    }

    /// The residual stream after the last block, at least of the last of `ids`.
    fn pass_cached(&self, ids: &[u32], cache: &mut Cache) -> Vec<f32> {
        cache.layers.resize_with(self.blocks.len(), KeyValues::default);
        let mut resid = Vec::new();
        // A token reads what was fed back of the one before, so that must be done.
        let part = if self.feeds_back { 1 } else { PROMPT_PART };
        for ids in ids.chunks(part) {
            resid = self.embed(ids);
            add(&mut resid, &self.pos_embed(cache.len, ids.len()));
            let added = std::mem::take(&mut cache.added);
            for (layer, (block, key_values)) in
                self.blocks.iter().zip(&mut cache.layers).enumerate()
            {
                if let Some(above) = added.get(layer + 1) {
                    add(&mut resid, above);
                }
                let before = self.feeds_back.then(|| resid.clone());
                block.forward(&mut resid, key_values);
                cache.added.extend(before.map(|before| less(&resid, &before)));
            }
            cache.len += ids.len();
        }
        resid
    }

    /// Logits, and what answered of what the output remembers.
    fn predict(&self, normed: &[f32]) -> (Vec<f32>, Option<Recalled>) {
        let mut logits = self.unembed.forward(normed);
        let mix = |of: &Neighbours| of.mix(normed, self.d_model, &mut logits);
        let recalled = self.neighbours.as_ref().and_then(mix);
        (logits, recalled)
    }

    /// The forward pass over `ids`, as `edits` change it, in their order; what does not fit the
    /// model or the prompt is ignored. It takes memory for every pattern,
    /// `n_layers * n_heads * seq²` numbers, and `n_layers * n_heads * seq * d_model` for what heads
    /// write.
    ///
    /// With feedback it is as many passes as there are tokens. Each is fed what the last one wrote: the
    /// first token needs none, so it is as in [`decode`](Self::decode) after one pass, the second
    /// after two, and so on.
    ///
    /// # Panics
    /// If there are more tokens than the context holds, or one is not of the vocabulary.
    pub fn record(&self, ids: &[u32], edits: &[Edit]) -> Recording {
        let mut recording = self.pass(ids, edits, &[]);
        if self.feeds_back {
            for _ in 1..ids.len() {
                let above = recording.layers.iter().skip(1);
                let added = above.map(|layer| less(&layer.resid_post, &layer.resid_pre));
                let fed_back: Vec<Vec<f32>> = added.map(|added| self.shift(&added)).collect();
                recording = self.pass(ids, edits, &fed_back);
            }
        }
        recording
    }

    /// One forward pass that is fed what each layer but the last reads of the one above: `[seq, d_model]` each.
    fn pass(&self, ids: &[u32], edits: &[Edit], fed_back: &[Vec<f32>]) -> Recording {
        let (embed, pos_embed) = (self.embed(ids), self.pos_embed(0, ids.len()));
        let mut resid = sum(&embed, &pos_embed);
        let mut layers: Vec<LayerRecording> = Vec::with_capacity(self.blocks.len());
        for (layer, block) in self.blocks.iter().enumerate() {
            let fed_back = fed_back.get(layer).cloned().unwrap_or_default();
            let edits = Edits { all: edits, layer };
            let recorded = block.record(resid, fed_back, self.d_model, edits);
            resid = recorded.resid_post.clone();
            layers.push(recorded);
        }
        let normed = self.ln_final.forward(&resid);
        let (logits, recalled) = self.predict(&normed);
        Recording {
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

    /// Each token's row at the token after; the first token's is 0.
    ///
    /// # Shapes
    /// `rows` and the result: `[seq, d_model]`
    fn shift(&self, rows: &[f32]) -> Vec<f32> {
        let first = vec![0.0; self.d_model];
        [&first, &rows[..rows.len() - self.d_model]].concat()
    }

    fn embed(&self, ids: &[u32]) -> Vec<f32> {
        let row = |id: &u32| &self.w_e[*id as usize * self.d_model..][..self.d_model];
        ids.iter().flat_map(row).copied().collect()
    }

    /// Of `seq` places from `start`.
    fn pos_embed(&self, start: usize, seq: usize) -> Vec<f32> {
        if self.w_pos.is_empty() {
            return vec![0.0; seq * self.d_model];
        }
        self.w_pos[start * self.d_model..][..seq * self.d_model].to_vec()
    }
}

fn add(to: &mut [f32], more: &[f32]) {
    to.iter_mut().zip(more).for_each(|(to, more)| *to += more);
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn less(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Rows to columns, of a matrix with `rows` rows.
fn transpose(matrix: &[f32], rows: usize) -> Vec<f32> {
    let columns = matrix.len() / rows;
    (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns).copied()).collect()
}
