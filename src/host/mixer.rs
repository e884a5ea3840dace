//! The mixer of a layer.

use std::sync::Arc;

use super::attention::{Attention, KeyValues};
use super::conv::{ConvState, GatedConv};
use super::delta::{DeltaRule, DeltaState};
use super::intervene::Interventions;
use super::least_squares::{LeastSquares, LeastSquaresState};
#[cfg(feature = "cli")]
use super::linear::Linear;
use super::linear::Parameters;
use super::linear_attention::{LinearAttention, LinearState};
use super::mixed::Mixed;
use crate::arch;
use crate::config::ModelConfig;
use crate::memory::Exact;

#[derive(Clone, Debug)]
pub enum Mixer {
    Softmax(Attention),
    Linear(LinearAttention),
    Delta(DeltaRule),
    LeastSquares(LeastSquares),
    Conv(GatedConv),
}

/// State of a mixer after some tokens.
#[derive(Clone, Debug)]
pub enum MixerState {
    Softmax(KeyValues),
    Linear(LinearState),
    Delta(DeltaState),
    LeastSquares(LeastSquaresState),
    Conv(ConvState),
}

impl MixerState {
    /// Numbers that it holds.
    pub fn numbers(&self) -> usize {
        match self {
            Self::Softmax(cache) => cache.numbers(),
            Self::Linear(state) => state.numbers(),
            Self::Delta(state) => state.numbers(),
            Self::LeastSquares(state) => state.numbers(),
            Self::Conv(state) => state.numbers(),
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
            arch::Mixer::Linear(features) => {
                Self::Linear(LinearAttention::new(config, features, parameters, &name))
            }
            arch::Mixer::Delta => Self::Delta(DeltaRule::new(config, parameters, &name)),
            arch::Mixer::LeastSquares(part) => {
                Self::LeastSquares(LeastSquares::new(config, part, parameters, &name))
            }
            arch::Mixer::Conv(_) => Self::Conv(GatedConv::new(config, parameters, &name)),
        }
    }

    /// Sets the store of the memory, if there is one.
    pub fn remember(&mut self, store: Arc<Exact>) {
        match self {
            Self::Softmax(attention) => attention.remember(store),
            Self::Linear(_) | Self::Delta(_) | Self::LeastSquares(_) | Self::Conv(_) => {}
        }
    }

    /// The projections, by the ends of their names.
    #[cfg(feature = "cli")]
    pub fn projections(&mut self) -> Vec<(&'static str, &mut Linear)> {
        match self {
            Self::Softmax(attention) => attention.heads.projections(),
            Self::Linear(attention) => attention.heads.projections(),
            Self::Delta(rule) => rule.heads.projections(),
            Self::LeastSquares(part) => part.heads.projections(),
            Self::Conv(conv) => conv.projections(),
        }
    }

    pub fn state(&self) -> MixerState {
        match self {
            Self::Softmax(_) => MixerState::Softmax(KeyValues::default()),
            Self::Linear(_) => MixerState::Linear(LinearState::default()),
            Self::Delta(_) => MixerState::Delta(DeltaState::default()),
            Self::LeastSquares(_) => MixerState::LeastSquares(LeastSquaresState::default()),
            Self::Conv(_) => MixerState::Conv(ConvState::default()),
        }
    }

    /// Head outputs of tokens that follow those in `state`: `[seq, n_heads * d_head]`. Appends them to `state`.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    ///
    /// # Panics
    /// If `state` belongs to another mixer.
    pub fn decode(&self, x: &[f32], state: &mut MixerState, edits: Interventions) -> Vec<f32> {
        match (self, state) {
            (Self::Softmax(attention), MixerState::Softmax(cache)) => {
                attention.decode(x, cache, edits)
            }
            (Self::Linear(attention), MixerState::Linear(state)) => {
                attention.decode(x, state, edits)
            }
            (Self::Delta(rule), MixerState::Delta(state)) => rule.decode(x, state, edits),
            (Self::LeastSquares(part), MixerState::LeastSquares(state)) => {
                part.decode(x, state, edits)
            }
            (Self::Conv(conv), MixerState::Conv(state)) => conv.decode(x, state, edits),
            (
                Self::Softmax(_)
                | Self::Linear(_)
                | Self::Delta(_)
                | Self::LeastSquares(_)
                | Self::Conv(_),
                _,
            ) => {
                panic!("the state is another mixer's")
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
            Self::Linear(attention) => attention.record(x, edits),
            Self::Delta(rule) => rule.record(x, edits),
            Self::LeastSquares(part) => part.record(x, edits),
            Self::Conv(conv) => conv.record(x, edits),
        }
    }

    /// Projects head outputs into the residual stream: `[seq, d_model]`.
    ///
    /// # Shapes
    /// `z`: `[seq, n_heads * d_head]`
    pub fn write(&self, z: &[f32]) -> Vec<f32> {
        match self {
            Self::Softmax(attention) => attention.heads.write(z),
            Self::Linear(attention) => attention.heads.write(z),
            Self::Delta(rule) => rule.heads.write(z),
            Self::LeastSquares(part) => part.heads.write(z),
            Self::Conv(conv) => conv.outputs.write(z),
        }
    }
}
