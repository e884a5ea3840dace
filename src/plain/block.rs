//! One transformer block.

use super::attention::{Attention, KeyValues};
use super::edit::Edits;
use super::linear::Parameters;
use super::mlp::Mlp;
use super::norm::Norm;
use super::recording::LayerRecording;
use super::{add, sum};
use crate::config::ModelConfig;
use crate::edit::Site;

pub struct Block {
    ln1: Norm,
    attn: Attention,
    ln2: Norm,
    mlp: Mlp,
}

impl Block {
    pub fn new(config: &ModelConfig, parameters: Parameters, name: &str) -> Self {
        Self {
            ln1: Norm::new(parameters, &format!("{name}.ln1")),
            attn: Attention::new(config, parameters, &format!("{name}.attn")),
            ln2: Norm::new(parameters, &format!("{name}.ln2")),
            mlp: Mlp::new(parameters, &format!("{name}.mlp")),
        }
    }

    /// Adds to the residual stream what this block writes into it, of tokens that follow those in
    /// `cache`, and join them.
    ///
    /// # Shapes
    /// `resid`: `[seq, d_model]`
    pub fn forward(&self, resid: &mut [f32], cache: &mut KeyValues) {
        let read = self.attn.read(&self.ln1.forward(resid), cache, Edits::NONE);
        add(resid, &self.attn.o.forward(&read.z));
        add(resid, &self.mlp.forward(&self.ln2.forward(resid)).1);
    }

    /// What this block computes of a whole prompt.
    ///
    /// # Shapes
    /// `resid_pre`: `[seq, d_model]`
    pub fn record(&self, mut resid_pre: Vec<f32>, d_model: usize, edits: Edits) -> LayerRecording {
        edits.apply(|layer| Site::Resid { layer }, &mut resid_pre, d_model, d_model);
        let mut cache = KeyValues::default();
        let read = self.attn.read(&self.ln1.forward(&resid_pre), &mut cache, edits);
        let attn_out = self.attn.o.forward(&read.z);
        let resid_mid = sum(&resid_pre, &attn_out);
        let (mlp_post, mut mlp_out) = self.mlp.forward(&self.ln2.forward(&resid_mid));
        edits.apply(|layer| Site::Mlp { layer }, &mut mlp_out, d_model, d_model);
        LayerRecording {
            head_out: self.attn.by_head(&read.z, d_model),
            resid_post: sum(&resid_mid, &mlp_out),
            resid_pre,
            q: read.q,
            k: cache.k,
            v: cache.v,
            pattern: read.pattern,
            z: read.z,
            attn_out,
            resid_mid,
            mlp_post,
            mlp_out,
        }
    }
}
