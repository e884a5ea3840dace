//! One transformer block.

use std::sync::Arc;

use super::cache::LayerActivations;
use super::intervene::Interventions;
#[cfg(feature = "cli")]
use super::linear::Linear;
use super::linear::Parameters;
use super::memory::{MemoryLayer, ProductKey, Recalled};
use super::mixer::{Mixer, MixerState};
use super::mlp::Mlp;
use super::norm::Norm;
use super::vector::{add, sum};
use crate::arch;
use crate::config::{BlockKind, ModelConfig};
use crate::memory::Exact;
use crate::run::Site;

#[derive(Clone, Debug)]
pub struct Block {
    ln1: Norm,
    mixer: Mixer,
    ln2: Norm,
    feed_forward: FeedForward,
    kind: BlockKind,
}

#[derive(Clone, Debug)]
enum FeedForward {
    None,
    Mlp(Mlp),
    ProductKey(ProductKey),
    Memory(MemoryLayer),
}

/// Result of a feed-forward layer.
struct Fed {
    /// Hidden activations of an MLP: `[seq, d_mlp]`.
    hidden: Vec<f32>,
    recalled: Option<Recalled>,
    /// Output: `[seq, d_model]`.
    out: Vec<f32>,
}

impl Block {
    pub fn new(config: &ModelConfig, parameters: Parameters, layer: usize) -> Self {
        let name = format!("blocks.{layer}");
        let (mlp, memory) = (format!("{name}.mlp"), format!("{name}.memory"));
        let feed_forward = match arch::FeedForward::of(config, layer) {
            arch::FeedForward::None => FeedForward::None,
            arch::FeedForward::Mlp(part) => FeedForward::Mlp(Mlp::new(part, parameters, &mlp)),
            arch::FeedForward::ProductKeys(part) => {
                FeedForward::ProductKey(ProductKey::new(config, part, parameters, &memory))
            }
            arch::FeedForward::Memory(part) => {
                FeedForward::Memory(MemoryLayer::new(part, parameters, &memory))
            }
        };
        Self {
            ln1: Norm::new(config, parameters, &format!("{name}.ln1")),
            mixer: Mixer::new(config, parameters, layer),
            ln2: Norm::new(config, parameters, &format!("{name}.ln2")),
            feed_forward,
            kind: config.block,
        }
    }

    /// Sets the store of the block's memory.
    pub fn remember(&mut self, store: Arc<Exact>) {
        match &mut self.feed_forward {
            FeedForward::Memory(memory) => memory.remember(store),
            FeedForward::None | FeedForward::Mlp(_) | FeedForward::ProductKey(_) => {
                self.mixer.remember(store);
            }
        }
    }

    /// The projections of the mixer and the MLP, by the ends of their names. Memories keep their matrices, for a query
    /// that is rounded finds other slots.
    #[cfg(feature = "cli")]
    pub fn projections(&mut self) -> impl Iterator<Item = (&'static str, &mut Linear)> {
        let mlp = match &mut self.feed_forward {
            FeedForward::Mlp(mlp) => Some(mlp),
            FeedForward::None | FeedForward::ProductKey(_) | FeedForward::Memory(_) => None,
        };
        let of_mlp = mlp.into_iter().flat_map(Mlp::projections);
        self.mixer.projections().into_iter().chain(of_mlp)
    }

    /// Empty state of the mixer.
    pub fn state(&self) -> MixerState {
        self.mixer.state()
    }

    /// Output of the feed-forward layer, which reads the residual stream before the mixer or after it.
    fn feed(&self, resid_pre: &[f32], resid_mid: &[f32]) -> Fed {
        let resid = match self.kind {
            BlockKind::PreNorm => resid_mid,
            BlockKind::Parallel => resid_pre,
        };
        let normed = || self.ln2.forward(resid);
        let (mut hidden, mut recalled) = (Vec::new(), None);
        let out = match &self.feed_forward {
            FeedForward::None => vec![0.0; resid.len()],
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

    /// Adds the block's output to the residual stream, for tokens that follow those in `state`. Appends them to
    /// `state`. Interventions on the residual stream have been applied.
    ///
    /// # Shapes
    /// `resid`: `[seq, d_model]`
    pub fn forward(
        &self,
        resid: &mut [f32],
        state: &mut MixerState,
        d_model: usize,
        interventions: Interventions,
    ) {
        let resid_pre = resid.to_vec();
        let z = self.mixer.decode(&self.ln1.forward(resid), state, interventions);
        add(resid, &self.mixer.write(&z));
        let Fed { mut out, .. } = self.feed(&resid_pre, resid);
        interventions.apply(|layer| Site::Mlp { layer }, &mut out, d_model, d_model);
        add(resid, &out);
    }

    /// Activations of this block for a whole prompt.
    ///
    /// # Shapes
    /// `resid_pre`: `[seq, d_model]`; `feedback`, which is added to it: the same, or empty
    pub fn record(
        &self,
        mut resid_pre: Vec<f32>,
        feedback: Vec<f32>,
        d_model: usize,
        interventions: Interventions,
    ) -> LayerActivations {
        add(&mut resid_pre, &feedback);
        interventions.apply(|layer| Site::Resid { layer }, &mut resid_pre, d_model, d_model);
        let mixed = self.mixer.record(&self.ln1.forward(&resid_pre), interventions);
        let attn_out = self.mixer.write(&mixed.z);
        let resid_mid = sum(&resid_pre, &attn_out);
        let Fed { hidden: mlp_post, recalled, out: mut mlp_out } = self.feed(&resid_pre, &resid_mid);
        interventions.apply(|layer| Site::Mlp { layer }, &mut mlp_out, d_model, d_model);
        LayerActivations {
            resid_post: sum(&resid_mid, &mlp_out),
            feedback,
            resid_pre,
            q: mixed.q,
            k: mixed.k,
            v: mixed.v,
            pattern: mixed.pattern,
            z: mixed.z,
            gates: mixed.gates,
            attn_out,
            resid_mid,
            mlp_post,
            recalled: mixed.recalled.or(recalled),
            mlp_out,
        }
    }
}
