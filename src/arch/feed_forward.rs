//! Feed-forward layers, which follow the mixer and act on each token separately.

use super::memory::{ProductKeys, StoredMemory};
use super::spec::{Declaration, Dim, PartKind, Sink};
use crate::config::{MemoryKind, MlpKind, ModelConfig};

/// The feed-forward part of a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum FeedForward {
    /// No feed-forward part: attention alone.
    None,
    Mlp(Mlp),
    /// Slots of a store, found by nearest-neighbour search.
    Memory(StoredMemory),
    /// Trained keys and values. Each half of a key is searched separately.
    ProductKeys(ProductKeys),
}

/// `f(x W_in + b_in) W_out + b_out`. A gated MLP has `f(x W_gate) · (x W_in)` in place of `f(x W_in)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mlp {
    pub activation: Activation,
    pub is_gated: bool,
    pub d_mlp: usize,
}

/// The activation function of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x Φ(x)` (Hendrycks & Gimpel 2016).
    Gelu,
    /// GPT-2's tanh approximation of GELU.
    GeluTanh,
    Relu,
    /// The square of ReLU (So et al. 2021).
    Relu2,
    /// `σ(x) = 1 / (1 + e^-x)`.
    Sigmoid,
    /// `x σ(x)`.
    Silu,
}

impl Mlp {
    /// The MLP of a configuration; `None` if the model has no MLPs.
    pub fn of(config: &ModelConfig) -> Option<Self> {
        let (activation, is_gated) = match config.mlp {
            MlpKind::None => return None,
            MlpKind::Gelu => (Activation::Gelu, false),
            MlpKind::GeluTanh => (Activation::GeluTanh, false),
            MlpKind::Relu => (Activation::Relu, false),
            MlpKind::Relu2 => (Activation::Relu2, false),
            MlpKind::Sigmoid => (Activation::Sigmoid, false),
            MlpKind::Swiglu => (Activation::Silu, true),
            MlpKind::Geglu => (Activation::Gelu, true),
            MlpKind::Reglu => (Activation::Relu, true),
        };
        Some(Self { activation, is_gated, d_mlp: config.d_mlp() })
    }

    fn declare(self, config: &ModelConfig, out: &mut Declaration<impl Sink>) {
        let (model, hidden) = (Dim::Model.of(config.d_model), Dim::Hidden.of(self.d_mlp));
        if self.is_gated {
            out.linear(["W_gate", "b_gate"], model, hidden, config.init_std);
        }
        out.linear(["W_in", "b_in"], model, hidden, config.init_std);
        out.linear(["W_out", "b_out"], hidden, model, config.residual_std());
    }
}

impl FeedForward {
    pub fn of(config: &ModelConfig, layer: usize) -> Self {
        match config.memory.of(layer) {
            Some(MemoryKind::Featural | MemoryKind::Associative) => {
                Self::Memory(StoredMemory::of(config))
            }
            Some(MemoryKind::ProductKey) => Self::ProductKeys(ProductKeys::of(config)),
            Some(MemoryKind::Memorizing | MemoryKind::None) | None => {
                Mlp::of(config).map_or(Self::None, Self::Mlp)
            }
        }
    }

    /// Declares the parameters, of the part `mlp` or `memory`.
    pub(super) fn declare(&self, config: &ModelConfig, out: &mut Declaration<impl Sink>) {
        match self {
            Self::None => {}
            Self::Mlp(mlp) => {
                out.part("mlp", PartKind::Mlp);
                mlp.declare(config, out);
            }
            Self::Memory(memory) => {
                out.part("memory", PartKind::Memory);
                memory.declare(config, out);
            }
            Self::ProductKeys(keys) => {
                out.part("memory", PartKind::Memory);
                keys.declare(config, out);
            }
        }
    }

    /// Hidden activations kept per token for the backward pass.
    pub(super) fn kept(&self) -> usize {
        match self {
            Self::Mlp(mlp) => (if mlp.is_gated { 5 } else { 2 }) * mlp.d_mlp,
            Self::None | Self::Memory(_) | Self::ProductKeys(_) => 0,
        }
    }
}

/// GPT-2's constants of GELU: `2 √(2 / π)`, and the factor of the cubic term.
pub const GELU_SLOPE: f32 = 1.595_769;
pub const GELU_CUBE: f32 = 0.044_715;
