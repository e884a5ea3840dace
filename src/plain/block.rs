//! One transformer block.

use std::sync::Arc;

use super::attention::{Attention, KeyValues};
use super::edit::Edits;
use super::linear::Parameters;
use super::memory::{MemoryLayer, ProductKey, Recalled};
use super::mlp::Mlp;
use super::norm::Norm;
use super::recording::LayerRecording;
use super::{add, sum};
use crate::config::{MemoryKind, ModelConfig};
use crate::edit::Site;
use crate::kernel::layer_norm::Scaling;
use crate::memory::Exact;

#[derive(Clone, Debug)]
pub struct Block {
    ln1: Norm,
    attn: Attention,
    ln2: Norm,
    feed_forward: FeedForward,
}

#[derive(Clone, Debug)]
enum FeedForward {
    Nothing,
    Mlp(Mlp),
    ProductKey(ProductKey),
    Memory(MemoryLayer),
}

/// What a feed-forward layer, or what stands in its place, did.
struct Fed {
    /// `[seq, d_mlp]` of an MLP.
    hidden: Vec<f32>,
    recalled: Option<Recalled>,
    /// `[seq, d_model]`
    out: Vec<f32>,
}

impl Block {
    pub fn new(config: &ModelConfig, parameters: Parameters, layer: usize) -> Self {
        let name = format!("blocks.{layer}");
        let memory = format!("{name}.memory");
        let replacing = config.memory.of(layer).filter(|kind| kind.replaces_mlp());
        let feed_forward = match replacing {
            Some(MemoryKind::ProductKey) => {
                FeedForward::ProductKey(ProductKey::new(config, parameters, &memory))
            }
            Some(kind) => FeedForward::Memory(MemoryLayer::new(config, parameters, &memory, kind)),
            None => match Mlp::new(config.mlp, parameters, &format!("{name}.mlp")) {
                Some(mlp) => FeedForward::Mlp(mlp),
                None => FeedForward::Nothing,
            },
        };
        let scaling = Scaling::of(config);
        Self {
            ln1: Norm::new(scaling, parameters, &format!("{name}.ln1")),
            attn: Attention::new(config, parameters, &format!("{name}.attn")),
            ln2: Norm::new(scaling, parameters, &format!("{name}.ln2")),
            feed_forward,
        }
    }

    /// Has a memory read from this store.
    pub fn remember(&mut self, store: Arc<Exact>) {
        match &mut self.feed_forward {
            FeedForward::Memory(memory) => memory.remember(store),
            _ => self.attn.remember(store),
        }
    }

    fn feed(&self, resid: &[f32]) -> Fed {
        let normed = || self.ln2.forward(resid);
        let (mut hidden, mut recalled) = (Vec::new(), None);
        let out = match &self.feed_forward {
            FeedForward::Nothing => vec![0.0; resid.len()],
            FeedForward::ProductKey(keys) => keys.forward(&normed()),
            FeedForward::Mlp(mlp) => {
                let (post, out) = mlp.forward(&normed());
                hidden = post;
                out
            }
            FeedForward::Memory(memory) => {
                let (read, out) = memory.forward(&normed());
                recalled = Some(read);
                out
            }
        };
        Fed { hidden, recalled, out }
    }

    /// Adds to the residual stream what this block writes into it, of tokens that follow those in
    /// `cache`, and join them.
    ///
    /// # Shapes
    /// `resid`: `[seq, d_model]`
    pub fn forward(&self, resid: &mut [f32], cache: &mut KeyValues) {
        let read = self.attn.read(&self.ln1.forward(resid), cache, Edits::NONE);
        add(resid, &self.attn.o.forward(&read.z));
        let Fed { out, .. } = self.feed(resid);
        add(resid, &out);
    }

    /// What this block computes of a whole prompt.
    ///
    /// # Shapes
    /// `resid_pre`: `[seq, d_model]`; `fed_back`, which is added to it, too, or empty
    pub fn record(
        &self,
        mut resid_pre: Vec<f32>,
        fed_back: Vec<f32>,
        d_model: usize,
        edits: Edits,
    ) -> LayerRecording {
        add(&mut resid_pre, &fed_back);
        edits.apply(|layer| Site::Resid { layer }, &mut resid_pre, d_model, d_model);
        let mut cache = KeyValues::default();
        let read = self.attn.read(&self.ln1.forward(&resid_pre), &mut cache, edits);
        let attn_out = self.attn.o.forward(&read.z);
        let resid_mid = sum(&resid_pre, &attn_out);
        let Fed { hidden: mlp_post, recalled, out: mut mlp_out } = self.feed(&resid_mid);
        edits.apply(|layer| Site::Mlp { layer }, &mut mlp_out, d_model, d_model);
        LayerRecording {
            head_out: self.attn.by_head(&read.z, d_model),
            resid_post: sum(&resid_mid, &mlp_out),
            fed_back,
            resid_pre,
            q: read.q,
            k: self.attn.of_all_heads(&cache.k),
            v: self.attn.of_all_heads(&cache.v),
            pattern: read.pattern,
            z: read.z,
            attn_out,
            resid_mid,
            mlp_post,
            recalled: read.recalled.or(recalled),
            mlp_out,
        }
    }
}
