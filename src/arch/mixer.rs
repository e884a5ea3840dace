//! Mixers, which move information between tokens.

use super::memory::Memorizing;
use super::norm::Norm;
use super::spec::{Dim, Init, ParamSpec};
use crate::config::{ConfigError, MemoryKind, MixerKind, ModelConfig};

/// The mixer of a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Mixer {
    /// Causal softmax attention (Vaswani et al. 2017).
    Softmax(SoftmaxAttention),
    /// Causal linear attention: `φ(q_t) · Σ_{s ≤ t} φ(k_s) v_sᵀ` (Katharopoulos et al. 2020).
    Linear(FeatureMap),
}

/// The features φ of queries and keys in linear attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureMap {
    /// `elu(x) + 1`, which is positive: outputs are divided by the sum of their weights.
    Elu,
    /// `x`: outputs are divided by `√d_head`.
    Identity,
}

/// Softmax attention, optionally with reads from a store of slots.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftmaxAttention {
    pub memory: Option<Memorizing>,
}

impl Mixer {
    pub fn of(config: &ModelConfig, layer: usize) -> Self {
        match config.mixer {
            MixerKind::Softmax => {
                Self::Softmax(SoftmaxAttention { memory: Memorizing::of(config, layer) })
            }
            MixerKind::Linear => Self::Linear(FeatureMap::Elu),
            MixerKind::LinearIdentity => Self::Linear(FeatureMap::Identity),
        }
    }

    /// Checks that the other parts go together with the mixer.
    ///
    /// # Errors
    /// [`ConfigError::Parts`], with a setting that works.
    pub(super) fn check(config: &ModelConfig) -> Result<(), ConfigError> {
        match config.mixer {
            MixerKind::Softmax => Ok(()),
            MixerKind::Linear | MixerKind::LinearIdentity
                if config.memory.kind == MemoryKind::Memorizing =>
            {
                Err(ConfigError::Parts {
                    key: "model.mixer",
                    why: format!(
                        "Memory (model.memory.kind) `memorizing` stands beside softmax attention, but Mixer \
                         (model.mixer) is `{}`; `softmax`, or another memory, would work",
                        config.mixer.name()
                    ),
                })
            }
            MixerKind::Linear | MixerKind::LinearIdentity => Ok(()),
        }
    }

    pub(super) fn parameters(&self, config: &ModelConfig) -> Vec<ParamSpec> {
        match self {
            Self::Softmax(SoftmaxAttention { memory }) => {
                let memory = memory.as_ref().map(|memory| memory.parameters(config));
                heads(config, memory.unwrap_or_default())
            }
            Self::Linear(_) => heads(config, Vec::new()),
        }
    }

    /// Activations kept per token for the backward pass.
    pub(super) fn kept(&self, config: &ModelConfig) -> usize {
        match self {
            // With dropout: three rows of each head's pattern.
            Self::Softmax(_) => 10 * config.n_heads * config.d_head() + 3 * pattern_row(config),
            Self::Linear(_) => 14 * config.n_heads * (config.d_head() + 1),
        }
    }

    /// Floating-point operations of training on the last of `seq` tokens, without those of the parameters.
    pub(super) fn operations(&self, config: &ModelConfig, seq: usize) -> f64 {
        match self {
            Self::Softmax(_) => (12 * config.n_heads * config.d_head() * seq) as f64,
            Self::Linear(_) => (12 * config.n_heads * config.d_head().pow(2)) as f64,
        }
    }
}

/// Numbers of attention patterns kept per token in training: 0 without dropout.
pub(super) fn pattern_row(config: &ModelConfig) -> usize {
    if config.dropout > 0.0 { config.n_heads * config.context } else { 0 }
}

/// Query, key, value and output projections, which all mixers with heads have, and the `own` parameters.
fn heads(config: &ModelConfig, own: Vec<ParamSpec>) -> Vec<ParamSpec> {
    let d_head = config.d_head();
    let model = Dim::Model.of(config.d_model);
    let all = Dim::Heads.of(config.n_heads * d_head);
    let shared = Dim::KvHeads.of(config.kv_heads() * d_head);
    let linear = |of, rows, columns, std| ParamSpec::linear(of, rows, columns, std, config.bias);
    let mut out: Vec<ParamSpec> = [("Q", all), ("K", shared), ("V", shared)]
        .into_iter()
        .flat_map(|(of, columns)| linear(of, model, columns, config.init_std))
        .collect();
    if Norm::of_heads(config) != Norm::Identity {
        let gain = |of: &str| ParamSpec::vector(of, Dim::Other.of(d_head), Init::Ones);
        out.extend(["q_norm.w", "k_norm.w"].map(gain));
    }
    if config.contributions {
        let gates = Dim::PerHead.of(config.n_heads);
        out.push(ParamSpec::vector("contribution", gates, Init::Zeros));
    }
    out.extend(own);
    out.extend(linear("O", all, model, config.residual_std()));
    out
}

/// Head gate of a head with the trained number `c`: σ(c), 0 to 1.
pub fn head_gate(c: f32) -> f32 {
    1.0 / (1.0 + (-c).exp())
}
