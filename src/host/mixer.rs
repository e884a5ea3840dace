//! The mixer of a layer.

use std::sync::Arc;

use super::attention::{Attention, KeyValues};
use super::intervene::Interventions;
use super::linear::Parameters;
use super::mixed::Mixed;
use crate::arch;
use crate::config::ModelConfig;
use crate::memory::Exact;

#[derive(Clone, Debug)]
pub enum Mixer {
    Softmax(Attention),
}

/// State of a mixer after some tokens.
#[derive(Clone, Debug)]
pub enum MixerState {
    Softmax(KeyValues),
}

impl MixerState {
    /// Numbers that it holds.
    pub fn numbers(&self) -> usize {
        match self {
            Self::Softmax(cache) => cache.k.len() + cache.v.len(),
        }
    }
}

impl Mixer {
    pub fn new(config: &ModelConfig, parameters: Parameters, layer: usize) -> Self {
        let name = format!("blocks.{layer}.attn");
        match arch::Mixer::of(config, layer) {
            arch::Mixer::Softmax(part) => {
                Self::Softmax(Attention::new(config, part, parameters, &name))
            }
        }
    }

    /// Sets the store of the memory, if there is one.
    pub fn remember(&mut self, store: Arc<Exact>) {
        match self {
            Self::Softmax(attention) => attention.remember(store),
        }
    }

    pub fn state(&self) -> MixerState {
        match self {
            Self::Softmax(_) => MixerState::Softmax(KeyValues::default()),
        }
    }

    /// Head outputs of tokens that follow those in `state`: `[seq, n_heads * d_head]`. Appends them to `state`.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    ///
    /// # Panics
    /// If `state` belongs to another mixer.
    pub fn decode(&self, x: &[f32], state: &mut MixerState) -> Vec<f32> {
        match (self, state) {
            (Self::Softmax(attention), MixerState::Softmax(cache)) => {
                attention.read(x, cache, Interventions::NONE).z
            }
        }
    }

    /// Activations for a whole prompt.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn record(&self, x: &[f32], edits: Interventions) -> Mixed {
        match self {
            Self::Softmax(attention) => attention.record(x, edits),
        }
    }

    /// Projects head outputs into the residual stream: `[seq, d_model]`.
    ///
    /// # Shapes
    /// `z`: `[seq, n_heads * d_head]`
    pub fn write(&self, z: &[f32]) -> Vec<f32> {
        match self {
            Self::Softmax(attention) => attention.heads.write(z),
        }
    }
}
