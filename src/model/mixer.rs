//! A layer's mixer, whichever it is.

use burn::tensor::Tensor;

use super::Weights;
use super::attention::Attention;
use super::conv::{ConvState, GatedConv};
use super::delta::{DeltaRule, DeltaState};
use super::least_squares::{LeastSquares, LeastSquaresState};
use super::linear_attention::{LinearAttention, LinearState};
use super::memory::LayerRead;
use super::rotary::Rotation;
use crate::arch;
use crate::config::ModelConfig;
use crate::kernel::attention::{KeyValues, Mask};
use crate::kernel::dropout::Dropout;
use crate::kernel::recall::Slots;

#[derive(Clone, Debug)]
pub enum Mixer {
    Softmax(Attention),
    Linear(LinearAttention),
    Delta(DeltaRule),
    LeastSquares(LeastSquares),
    Conv(GatedConv),
}

/// The state of a mixer after some tokens, for decoding.
#[derive(Debug)]
pub enum MixerState {
    /// Keys and values of every token.
    Softmax(Box<KeyValues>),
    /// A sum over all tokens.
    Linear(Box<LinearState>),
    /// Keys by values.
    Delta(Box<DeltaState>),
    /// A root and weights.
    LeastSquares(Box<LeastSquaresState>),
    /// The last few values.
    Conv(Box<ConvState>),
}

impl Mixer {
    /// The mixer of `layer`, whose memory, if it has one, is empty.
    pub fn new(config: &ModelConfig, weights: &Weights, layer: usize) -> Self {
        let name = format!("blocks.{layer}.attn");
        match arch::Mixer::of(config, layer) {
            arch::Mixer::Softmax(part) => {
                Self::Softmax(Attention::new(config, part, weights, &name))
            }
            arch::Mixer::Linear(features) => {
                Self::Linear(LinearAttention::new(config, features, weights, &name))
            }
            arch::Mixer::Delta => Self::Delta(DeltaRule::new(config, weights, &name)),
            arch::Mixer::LeastSquares(part) => {
                Self::LeastSquares(LeastSquares::new(config, part, weights, &name))
            }
            arch::Mixer::Conv(_) => Self::Conv(GatedConv::new(config, weights, &name)),
        }
    }

    /// Attaches these slots to its memory, if it has one.
    pub fn remember(&mut self, slots: Slots) {
        match self {
            Self::Softmax(attention) => attention.remember(slots),
            Self::Linear(_) | Self::Delta(_) | Self::LeastSquares(_) | Self::Conv(_) => {}
        }
    }

    /// The residual stream after the mixer has written into it, and the look-up of its memory.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid` and the result: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        mask: &Mask,
        dropout: Dropout,
    ) -> (Tensor<3>, Option<LayerRead>) {
        match self {
            Self::Softmax(attention) => attention.forward(x, resid, rotation, mask, dropout),
            Self::Linear(attention) => (attention.forward(x, resid, rotation, mask, dropout), None),
            Self::Delta(rule) => (rule.forward(x, resid, rotation, mask, dropout), None),
            Self::LeastSquares(part) => (part.forward(x, resid, rotation, mask, dropout), None),
            Self::Conv(conv) => (conv.forward(x, resid, mask, dropout), None),
        }
    }

    /// An empty state, with room for `context` tokens.
    pub fn state(&self, context: usize) -> MixerState {
        match self {
            Self::Softmax(attention) => MixerState::Softmax(Box::new(attention.cache(context))),
            Self::Linear(_) => MixerState::Linear(Box::default()),
            Self::Delta(_) => MixerState::Delta(Box::default()),
            Self::LeastSquares(_) => MixerState::LeastSquares(Box::default()),
            Self::Conv(_) => MixerState::Conv(Box::default()),
        }
    }

    /// As [`forward`](Self::forward), of tokens that follow those in `state`, and join them.
    ///
    /// # Shapes
    /// As there, with a batch of 1.
    ///
    /// # Panics
    /// If `state` is another mixer's.
    pub fn forward_cached(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        state: &mut MixerState,
    ) -> Tensor<3> {
        match (self, state) {
            (Self::Softmax(attention), MixerState::Softmax(cache)) => {
                attention.forward_cached(x, resid, rotation, cache)
            }
            (Self::Linear(attention), MixerState::Linear(state)) => {
                attention.forward_cached(x, resid, rotation, state)
            }
            (Self::Delta(rule), MixerState::Delta(state)) => {
                rule.forward_cached(x, resid, rotation, state)
            }
            (Self::LeastSquares(part), MixerState::LeastSquares(state)) => {
                part.forward_cached(x, resid, rotation, state)
            }
            (Self::Conv(conv), MixerState::Conv(state)) => conv.forward_cached(x, resid, state),
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
}

impl MixerState {
    /// Tokens held.
    pub fn len(&self) -> usize {
        match self {
            Self::Softmax(cache) => cache.len(),
            Self::Linear(state) => state.len(),
            Self::Delta(state) => state.len(),
            Self::LeastSquares(state) => state.len(),
            Self::Conv(state) => state.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
