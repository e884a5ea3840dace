//! Names of the parts that a model may have instead of GPT-2's.

use serde::{Deserialize, Serialize};

use super::Named;

/// The part of a layer that moves information between tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MixerKind {
    /// Causal attention by a softmax (Vaswani et al. 2017).
    #[default]
    Softmax,
    /// Softmax attention to the last tokens alone (Beltagy et al. 2020).
    Window,
    /// Causal linear attention with features elu(x) + 1, normalized (Katharopoulos et al. 2020).
    Linear,
    /// Causal linear attention of queries and keys as they are, not normalized.
    LinearIdentity,
    /// Linear attention whose state is corrected by what it tells of each key (Yang et al. 2024, "DeltaNet").
    Delta,
    /// Regularized least squares from keys to values (Garnelo & Czarnecki 2023).
    Intention,
    /// Intention that forgets, with a trained ridge (von Oswald et al. 2023).
    Mesa,
    /// Gated causal convolution over a few tokens (Arora et al. 2023, "Zoology": BaseConv).
    Conv,
}

impl_names! {
    MixerKind:
    Softmax = "softmax",
    Window = "window",
    Linear = "linear",
    LinearIdentity = "linear-identity",
    Delta = "delta",
    Intention = "intention",
    Mesa = "mesa",
    Conv = "conv",
}

impl Named for MixerKind {
    const ALL: &'static [&'static str] = Self::NAMES;

    fn named(name: &str) -> Option<Self> {
        Self::parse(name)
    }

    fn own_name(self) -> &'static str {
        self.name()
    }
}

/// The order in which a layer's mixer and MLP read the residual stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockKind {
    /// The MLP reads what the mixer has written (Radford et al. 2019).
    #[default]
    PreNorm,
    /// Both read the stream as the layer finds it, each through its norm (Wang & Komatsuzaki 2021; Black et al. 2022).
    Parallel,
}

impl_names!(BlockKind: PreNorm = "pre-norm", Parallel = "parallel");

/// The norm: the divisor of each token before a layer reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// Its standard deviation, the mean taken off before (Ba et al. 2016).
    #[default]
    Layer,
    /// Its root mean square (Zhang & Sennrich 2019).
    Rms,
    /// Its length (Nguyen & Salazar 2019).
    Scale,
    /// Nothing: all but attention and the MLP is then linear.
    None,
}

impl_names!(NormKind: Layer = "layer", Rms = "rms", Scale = "scale", None = "none");

/// The activation after the first matrix of the feed-forward layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MlpKind {
    /// `x Φ(x)` (Hendrycks & Gimpel 2016).
    #[default]
    Gelu,
    /// GPT-2's approximation of it.
    GeluTanh,
    Relu,
    /// The square of ReLU (So et al. 2021).
    Relu2,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `silu(x W_gate) · x W_in` (Shazeer 2020).
    Swiglu,
    /// `gelu(x W_gate) · x W_in` (Shazeer 2020).
    Geglu,
    /// `relu(x W_gate) · x W_in` (Shazeer 2020).
    Reglu,
    /// There is no feed-forward layer.
    None,
}

impl_names! {
    MlpKind:
    Gelu = "gelu",
    GeluTanh = "gelu-tanh",
    Relu = "relu",
    Relu2 = "relu2",
    Sigmoid = "sigmoid",
    Swiglu = "swiglu",
    Geglu = "geglu",
    Reglu = "reglu",
    None = "none",
}

/// Encoding of positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// A learned vector a place, added to the token's.
    #[default]
    Learned,
    /// Queries and keys turn with the place (Su et al. 2021).
    Rotary,
    /// They also change their length, so that products shrink with the distance (Sun et al. 2022).
    Xpos,
    /// From the causal mask alone (Haviv et al. 2022).
    None,
}

impl_names!(Positions: Learned = "learned", Rotary = "rotary", Xpos = "xpos", None = "none");

/// Distance of a key from a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// Euclidean.
    #[default]
    L2,
    /// 1 less the cosine of the angle between them.
    Cosine,
}

impl_names!(Distance: L2 = "l2", Cosine = "cosine");
