//! Norms, which rescale each token's vector before a layer reads it.

use super::spec::{Declaration, Dim, Init, Sink};
use crate::config::{ModelConfig, NormKind};

/// A norm of the residual stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Norm {
    /// No norm.
    Identity,
    /// `w (x − mean) / √(variance + ε) + b` (Ba et al. 2016).
    Layer { epsilon: f32 },
    /// `w x / √(mean of squares + ε)` (Zhang & Sennrich 2019).
    Rms { epsilon: f32 },
    /// `g x / max(‖x‖, ε)`, with one trained `g` (Nguyen & Salazar 2019).
    Scale { epsilon: f32 },
}

impl Norm {
    pub fn of(config: &ModelConfig) -> Self {
        let epsilon = config.norm_eps as f32;
        match config.norm {
            NormKind::None => Self::Identity,
            NormKind::Layer => Self::Layer { epsilon },
            NormKind::Rms => Self::Rms { epsilon },
            NormKind::Scale => Self::Scale { epsilon },
        }
    }

    /// RMSNorm of each head's queries or keys.
    pub fn of_heads(config: &ModelConfig) -> Self {
        match config.qk_norm {
            true => Self::Rms { epsilon: config.norm_eps as f32 },
            false => Self::Identity,
        }
    }

    /// True if the norm subtracts the mean first.
    pub fn is_centred(self) -> bool {
        match self {
            Self::Layer { .. } => true,
            Self::Identity | Self::Rms { .. } | Self::Scale { .. } => false,
        }
    }

    /// Name of the gain among the norm's parameters. A gain has one number per component, or one for all.
    pub fn gain_name(self) -> &'static str {
        match self {
            Self::Identity | Self::Layer { .. } | Self::Rms { .. } => "w",
            Self::Scale { .. } => "g",
        }
    }

    pub(super) fn declare(self, config: &ModelConfig, out: &mut Declaration<impl Sink>) {
        let width = Dim::Model.of(config.d_model);
        match self {
            Self::Identity => {}
            Self::Rms { .. } => out.vector("w", width, Init::Ones),
            Self::Scale { .. } => out.vector("g", Dim::Other.of(1), Init::RootWidth),
            Self::Layer { .. } => {
                out.vector("w", width, Init::Ones);
                if config.bias {
                    out.vector("b", width, Init::Zeros);
                }
            }
        }
    }
}
