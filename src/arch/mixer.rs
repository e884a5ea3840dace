//! Mixers, which move information between tokens.

use super::memory::Memorizing;
use super::norm::Norm;
use super::spec::{Declaration, Dim, Init, Sink};
use crate::config::{ConfigError, MemoryKind, MixerKind, ModelConfig, Positions};

/// The mixer of a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Mixer {
    /// Causal softmax attention (Vaswani et al. 2017).
    Softmax(SoftmaxAttention),
    /// Causal linear attention: `φ(q_t) · Σ_{s ≤ t} φ(k_s) v_sᵀ` (Katharopoulos et al. 2020).
    Linear(FeatureMap),
    /// The delta rule on a state of keys by values (Yang et al. 2024).
    Delta,
    /// Least squares from keys to values (Garnelo & Czarnecki 2023, von Oswald et al. 2023).
    LeastSquares(LeastSquares),
    /// A gated causal convolution.
    Conv(GatedConv),
}

/// Most times that xPos shrinks queries, and stretches keys, to the share of a pair within a context.
const MAX_XPOS_SHRINKS: f64 = 32.0;
/// Widest head whose state a GPU keeps a row of in a unit.
const MAX_STATE_HEAD: usize = 64;
/// Mixers that have such a state.
const WITH_STATE: [MixerKind; 3] = [MixerKind::Delta, MixerKind::Intention, MixerKind::Mesa];
/// `b_gamma` before training: with `γ = σ(4) = 0.98`, half of what a token taught is left after 38 more.
const KEPT: f64 = 4.0;
/// Number added to the squared length of queries and keys that get length 1, as in the public code of DeltaNet.
pub const LENGTH_EPS: f32 = 1e-6;

/// The features φ of queries and keys in linear attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureMap {
    /// `elu(x) + 1`, which is positive: outputs are divided by the sum of their weights.
    Elu,
    /// `x`: outputs are divided by `√d_head`.
    Identity,
}

/// Regularized least squares of the tokens so far: intention, or, if it forgets, mesa.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeastSquares {
    /// It keeps the share `γ_t = σ(x_t W_gamma + b_gamma)` of what it knows as it learns a token, one number a head.
    pub forgets: bool,
    /// α is a trained number of each head, e to the power of `log_ridge`.
    pub trains_ridge: bool,
    /// α before training.
    pub ridge: f64,
}

/// Softmax attention, optionally to the last tokens alone, or with reads from a store of slots.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftmaxAttention {
    /// Tokens that each sees, its own among them; `None` for all before it.
    pub window: Option<usize>,
    pub memory: Option<Memorizing>,
}

/// A gated causal convolution of each number's values (Arora et al. 2023, "Zoology": BaseConv; so too in H3, Fu et al. 2023,
/// and Hyena, Poli et al. 2023):
///
/// `z_t = (x_t W_Q + b_Q) ⊙ (Σ_{j < width} κ_j ⊙ v_{t−j} + b)`, with `v = x W_V + b_V`, and an output `z W_O + b_O`.
///
/// BaseConv has neither `W_V` nor `W_O`. Here the convolution stands between a value and an output projection, as other mixers
/// do, so that its numbers make heads, with gates and analyses of heads. There are no keys, and no scores that positions or norms
/// of queries and keys could act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatedConv {
    /// Tokens that it reads, with the one that it writes to.
    pub width: usize,
}

impl Mixer {
    pub fn of(config: &ModelConfig, layer: usize) -> Self {
        match config.mixer.of(layer) {
            kind @ (MixerKind::Softmax | MixerKind::Window) => Self::Softmax(SoftmaxAttention {
                window: (kind == MixerKind::Window).then_some(config.window),
                memory: Memorizing::of(config, layer),
            }),
            MixerKind::Linear => Self::Linear(FeatureMap::Elu),
            MixerKind::LinearIdentity => Self::Linear(FeatureMap::Identity),
            MixerKind::Delta => Self::Delta,
            MixerKind::Intention => Self::LeastSquares(LeastSquares {
                forgets: false,
                trains_ridge: config.ridge_trained,
                ridge: config.ridge,
            }),
            MixerKind::Mesa => Self::LeastSquares(LeastSquares {
                forgets: true,
                trains_ridge: true,
                ridge: config.ridge,
            }),
            MixerKind::Conv => Self::Conv(GatedConv { width: config.conv_width }),
        }
    }

    /// True if tokens are weighed by their keys; a convolution weighs them by their distance.
    pub fn has_keys(&self) -> bool {
        match self {
            Self::Softmax(_) | Self::Linear(_) | Self::Delta | Self::LeastSquares(_) => true,
            Self::Conv(_) => false,
        }
    }

    /// Checks that the other parts go together with the mixer.
    ///
    /// # Errors
    /// [`ConfigError::Parts`], with a setting that works.
    pub(super) fn check(config: &ModelConfig) -> Result<(), ConfigError> {
        let last = config.n_layers - 1;
        if let Some(layer) = config.mixer.last().filter(|layer| *layer > last) {
            return Err(ConfigError::MixerLayer { layer, last, works: layer + 1 });
        }
        if config.has_mixer(&WITH_STATE) && config.d_head() > MAX_STATE_HEAD {
            return Err(ConfigError::Parts {
                key: "model.mixer",
                why: "heads of the Mixers (model.mixer) `delta`, `intention` and `mesa` have at most 64 numbers, as a GPU \
                      keeps a row of their state; set Head dim (model.d_head) to 64, or use more heads (model.n_heads)",
            });
        }
        Self::check_xpos(config)?;
        if config.mixer.is_all(MixerKind::Conv, config.n_layers) {
            check_without_keys(config)?;
        }
        let is_beside = |layer: usize| {
            config.memory.of(layer) == Some(MemoryKind::Memorizing)
                && !matches!(config.mixer.of(layer), MixerKind::Softmax | MixerKind::Window)
        };
        match (0..config.n_layers).any(is_beside) {
            true => Err(ConfigError::Parts {
                key: "model.mixer",
                why: "Memory (model.memory.kind) `memorizing` stands beside softmax attention; Mixer (model.mixer) \
                      `softmax` or `window` in its layers, or another memory, would work",
            }),
            false => Ok(()),
        }
    }

    /// Checks that what xPos multiplies queries and keys by stays between zero and infinity, and reaches a softmax.
    fn check_xpos(config: &ModelConfig) -> Result<(), ConfigError> {
        let of_products =
            |layer| matches!(config.mixer.of(layer), MixerKind::Softmax | MixerKind::Window);
        if config.positions != Positions::Xpos {
            return Ok(());
        }
        if !(0..config.n_layers).all(of_products) {
            return Err(ConfigError::Parts {
                key: "model.positions",
                why: "Position encoding (model.positions) `xpos` goes with softmax attention; set it to `rotary`, or Mixer \
                      (model.mixer) to `softmax` or `window` in all layers",
            });
        }
        if config.context as f64 > MAX_XPOS_SHRINKS * config.xpos_base {
            return Err(ConfigError::Parts {
                key: "model.xpos_base",
                why: "xPos base (model.xpos_base) must be at least a 32nd of Context (model.context), or keys grow beyond numbers",
            });
        }
        Ok(())
    }

    pub(super) fn declare(&self, config: &ModelConfig, out: &mut Declaration<impl Sink>) {
        let model = Dim::Model.of(config.d_model);
        let all = Dim::Heads.of(config.n_heads * config.d_head());
        let per_head = Dim::PerHead.of(config.n_heads);
        if self.has_keys() {
            declare_heads(config, out);
        }
        match self {
            Self::Softmax(SoftmaxAttention { memory: Some(memory), .. }) => {
                memory.declare(config, out);
            }
            Self::Softmax(SoftmaxAttention { memory: None, .. }) | Self::Linear(_) => {}
            Self::Delta => {
                out.linear(["W_beta", "b_beta"], model, per_head, config.init_std);
            }
            Self::LeastSquares(LeastSquares { forgets, trains_ridge, ridge }) => {
                if *forgets {
                    out.matrix("W_gamma", model, per_head, config.init_std);
                    out.vector("b_gamma", per_head, Init::Value(KEPT));
                }
                if *trains_ridge {
                    out.vector("log_ridge", per_head, Init::Value(ridge.ln()));
                }
            }
            Self::Conv(conv) => conv.declare(config, out),
        }
        out.linear(["W_O", "b_O"], all, model, config.residual_std());
    }

    /// Activations kept per token for the backward pass.
    pub(super) fn kept(&self, config: &ModelConfig) -> usize {
        match self {
            // Queries, keys and values, what comes of them, and the sums of the pattern's rows.
            Self::Softmax(_) => config.n_heads * (4 * config.d_head() + 1),
            // The same, and queries and keys through the feature map.
            Self::Linear(_) => config.n_heads * (7 * config.d_head() + 1),
            // The same, and what the state lacked of each value.
            Self::Delta => config.n_heads * (8 * config.d_head() + 2),
            // Queries, keys and values, outputs, gains, what was not predicted, queries times `A⁻¹`, and γ twice.
            Self::LeastSquares(_) => config.n_heads * (7 * config.d_head() + 2),
            // Gates, values, and what comes of them.
            Self::Conv(_) => config.n_heads * 3 * config.d_head(),
        }
    }

    /// Numbers that decoding keeps after `tokens` tokens.
    pub(super) fn state(&self, config: &ModelConfig, tokens: usize) -> usize {
        let (n_heads, d_head) = (config.n_heads, config.d_head());
        match self {
            // Keys and values of the tokens that the next one sees.
            Self::Softmax(SoftmaxAttention { window, .. }) => {
                let seen = window.map_or(tokens, |window| tokens.min(window - 1));
                2 * config.kv_heads() * d_head * seen
            }
            // Sums of keys times values, and of keys.
            Self::Linear(_) => n_heads * d_head * (d_head + 1),
            Self::Delta => n_heads * d_head * d_head,
            // The root of the inverse of what is known of keys, and weights of keys by values.
            Self::LeastSquares(_) => 2 * n_heads * d_head * d_head,
            // The values before the next one that it reads.
            Self::Conv(conv) => n_heads * d_head * (conv.width - 1),
        }
    }

    /// Floating-point operations of training on the last of `seq` tokens, without those of the parameters.
    pub(super) fn operations(&self, config: &ModelConfig, seq: usize) -> f64 {
        match self {
            Self::Softmax(SoftmaxAttention { window, .. }) => {
                let seen = window.map_or(seq, |window| window.min(seq));
                (12 * config.n_heads * config.d_head() * seen) as f64
            }
            Self::Linear(_) => (12 * config.n_heads * config.d_head().pow(2)) as f64,
            Self::Delta => (24 * config.n_heads * config.d_head().pow(2)) as f64,
            Self::LeastSquares(_) => (32 * config.n_heads * config.d_head().pow(2)) as f64,
            Self::Conv(_) => (3 * config.n_heads * config.d_head()) as f64,
        }
    }
}

impl GatedConv {
    /// Gates, values, and a kernel and a bias of each number. Kernels are drawn from a normal distribution, with the standard
    /// deviation of those of PyTorch's `Conv1d`, which are uniform within `±1 / √width`.
    fn declare(self, config: &ModelConfig, out: &mut Declaration<impl Sink>) {
        let (model, std) = (Dim::Model.of(config.d_model), config.init_std);
        let all = Dim::Heads.of(config.n_heads * config.d_head());
        out.linear(["W_Q", "b_Q"], model, all, std);
        out.linear(["W_V", "b_V"], model, all, std);
        declare_head_gates(config, out);
        let std = (3.0 * self.width as f64).sqrt().recip();
        out.linear(["conv.w", "conv.b"], Dim::Other.of(self.width), all, std);
    }
}

/// Refuses settings that act on keys alone, in a model without any.
fn check_without_keys(config: &ModelConfig) -> Result<(), ConfigError> {
    let refuse = |key, why| Err(ConfigError::Parts { key, why });
    if matches!(config.positions, Positions::Rotary | Positions::Xpos) {
        return refuse(
            "model.positions",
            "rotary Position encoding (model.positions) turns queries and keys, and a model of which all layers have the Mixer \
             (model.mixer) `conv` has none; set it to learned or none, or give a layer another mixer, as `conv,0:linear`",
        );
    }
    if config.qk_norm {
        return refuse(
            "model.qk_norm",
            "QK norm (model.qk_norm) acts on queries and keys, and a model of which all layers have the Mixer (model.mixer) \
             `conv` has none; set it to false, or give a layer another mixer, as `conv,0:linear`",
        );
    }
    match config.kv_heads() == config.n_heads {
        true => Ok(()),
        false => refuse(
            "model.kv_heads",
            "KV heads (model.kv_heads) are shared by queries, and in a model of which all layers have the Mixer (model.mixer) \
             `conv` each number has a value of its own; set them to 0, or give a layer another mixer, as `conv,0:linear`",
        ),
    }
}

/// Query, key and value projections, norms and gates, which all mixers with keys have.
fn declare_heads(config: &ModelConfig, out: &mut Declaration<impl Sink>) {
    let (d_head, std) = (config.d_head(), config.init_std);
    let model = Dim::Model.of(config.d_model);
    let shared = Dim::KvHeads.of(config.kv_heads() * d_head);
    out.linear(["W_Q", "b_Q"], model, Dim::Heads.of(config.n_heads * d_head), std);
    out.linear(["W_K", "b_K"], model, shared, std);
    out.linear(["W_V", "b_V"], model, shared, std);
    if Norm::of_heads(config) != Norm::Identity {
        out.vector("q_norm.w", Dim::Other.of(d_head), Init::Ones);
        out.vector("k_norm.w", Dim::Other.of(d_head), Init::Ones);
    }
    declare_head_gates(config, out);
}

fn declare_head_gates(config: &ModelConfig, out: &mut Declaration<impl Sink>) {
    if config.head_gates {
        out.vector("contribution", Dim::PerHead.of(config.n_heads), Init::Zeros);
    }
}

/// Head gate of a head with the trained number `c`: σ(c), 0 to 1.
pub fn head_gate(c: f32) -> f32 {
    1.0 / (1.0 + (-c).exp())
}
