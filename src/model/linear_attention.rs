//! Causal linear attention (Katharopoulos et al. 2020): `z_t = φ(q_t) Σ_{s ≤ t} φ(k_s) v_sᵀ`, over the sum of the
//! weights `φ(q_t) · φ(k_s)` if φ keeps them positive. A token costs the same however many came before.

use burn::tensor::Tensor;

use super::Weights;
use super::heads::Heads;
use super::rotary::Rotation;
use crate::arch::mixer::FeatureMap;
use crate::config::ModelConfig;
use crate::kernel::attention::Mask;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear_attention::{attend, follow};

#[derive(Clone, Debug)]
pub struct LinearAttention {
    heads: Heads,
    feature_map: FeatureMap,
}

/// Sums over the tokens so far: see [`follow`].
#[derive(Clone, Debug, Default)]
pub struct LinearState {
    sums: Option<Tensor<3>>,
    tokens: usize,
}

impl LinearState {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.tokens
    }
}

impl LinearAttention {
    pub fn new(
        config: &ModelConfig,
        feature_map: FeatureMap,
        weights: &Weights,
        name: &str,
    ) -> Self {
        Self { heads: Heads::new(config, weights, name), feature_map }
    }

    /// The residual stream after attention has written into it.
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
        let qkv = self.heads.project(x, rotation);
        let z = attend(qkv, self.heads.n_heads, self.feature_map, mask);
        self.heads.write(z, resid, dropout.site(2))
    }

    /// As [`forward`](Self::forward), of tokens that follow those in `state`, and join them; one token, unless
    /// the state is empty.
    ///
    /// # Shapes
    /// As there, with a batch of 1.
    pub fn forward_cached(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        rotation: Option<&Rotation>,
        state: &mut LinearState,
    ) -> Tensor<3> {
        let qkv = self.heads.project(x, rotation);
        let [_, seq, _] = qkv.dims();
        let (z, sums) = follow(qkv, self.heads.n_heads, self.feature_map, state.sums.take());
        *state = LinearState { sums: Some(sums), tokens: state.tokens + seq };
        self.heads.write(z, resid, Dropout::NONE)
    }
}
