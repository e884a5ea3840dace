//! The delta rule (Yang et al. 2024), see [`kernel::delta`](crate::kernel::delta), with a strength of corrections
//! `β_t = σ(x_t W_beta + b_beta)`, one number a head.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::Weights;
use super::heads::Heads;
use super::rotary::Rotation;
use crate::config::ModelConfig;
use crate::kernel::attention::Mask;
use crate::kernel::delta::{attend, follow};
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;

#[derive(Clone, Debug)]
pub struct DeltaRule {
    heads: Heads,
    beta: Linear, // [d_model, n_heads]
}

/// State after some tokens: `[n_heads, d_head, d_head]`, keys by values.
#[derive(Clone, Debug, Default)]
pub struct DeltaState {
    state: Option<Tensor<3>>,
    tokens: usize,
}

impl DeltaState {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.tokens
    }
}

impl DeltaRule {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        Self { heads: Heads::new(config, weights, name), beta: weights.linear(name, "beta") }
    }

    /// The residual stream after the mixer has written into it. A hidden token corrects nothing.
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
    ) -> Tensor<3> {
        let device = x.device();
        let beta = sigmoid(self.beta.apply(x.clone()));
        let beta = match mask.shown(&device) {
            Some(shown) => beta * shown,
            None => beta,
        };
        let z = attend(self.heads.project(x, rotation), beta);
        self.heads.write(z, resid, dropout.site(2))
    }

    /// As [`forward`](Self::forward), of tokens that follow those in `state`, and join them.
    ///
    /// # Shapes
    /// As there, with a batch of 1.
    pub fn forward_cached(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        state: &mut DeltaState,
    ) -> Tensor<3> {
        let [_, seq, _] = x.dims();
        let beta = sigmoid(self.beta.apply(x.clone()));
        let qkv = self.heads.project(x, rotation);
        let (z, after) = follow(qkv, beta, state.state.take());
        *state = DeltaState { state: Some(after), tokens: state.tokens + seq };
        self.heads.write(z, resid, Dropout::NONE)
    }
}
