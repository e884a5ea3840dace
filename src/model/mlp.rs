//! The feed-forward layer: `f(x W_in + b_in) W_out + b_out`, or gated.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};

use super::Weights;
use crate::config::MlpKind;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;

#[derive(Clone, Debug)]
pub struct Mlp {
    w_in: Linear, // [d_model, d_mlp]
    hidden: Hidden,
    w_out: Linear, // [d_mlp, d_model]
}

/// How the hidden layer comes from `x`.
#[derive(Clone, Debug)]
enum Hidden {
    /// Fused with the first matrix.
    Gelu,
    Then(fn(Tensor<3>) -> Tensor<3>),
    /// With `W_gate`: `[d_model, d_mlp]`.
    Gated(Linear),
}

impl Mlp {
    /// `None` of a model without feed-forward layers.
    pub fn new(kind: MlpKind, weights: &Weights, name: &str) -> Option<Self> {
        let hidden = match kind {
            MlpKind::Gelu => Hidden::Gelu,
            MlpKind::GeluTanh => Hidden::Then(gelu_tanh),
            MlpKind::Relu => Hidden::Then(relu),
            MlpKind::Relu2 => Hidden::Then(relu2),
            MlpKind::Swiglu => Hidden::Gated(weights.linear(name, "gate")),
            MlpKind::None => return None,
        };
        Some(Self { w_in: weights.linear(name, "in"), hidden, w_out: weights.linear(name, "out") })
    }

    /// The residual stream after this layer has written into it.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid` and the result:
    /// `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>, resid: Tensor<3>, dropout: Dropout) -> Tensor<3> {
        let hidden = match &self.hidden {
            Hidden::Gelu => self.w_in.apply_gelu(x),
            Hidden::Then(activate) => activate(self.w_in.apply(x)),
            Hidden::Gated(gate) => silu(gate.apply(x.clone())) * self.w_in.apply(x),
        }; // [batch, seq, d_mlp]
        self.w_out.add(hidden, resid, dropout.site(3))
    }
}

/// `x Φ(x)` by a hyperbolic tangent, which is written as the sigmoid that it is of.
fn gelu_tanh(x: Tensor<3>) -> Tensor<3> {
    let cube = x.clone() * x.clone() * x.clone();
    let inner = x.clone() + cube.mul_scalar(GELU_CUBE);
    x * sigmoid(inner.mul_scalar(GELU_SLOPE))
}

/// GPT-2's constants: `2 sqrt(2 / π)`, and what the cube counts.
pub const GELU_SLOPE: f32 = 1.595_769;
pub const GELU_CUBE: f32 = 0.044_715;

fn relu2(x: Tensor<3>) -> Tensor<3> {
    let x = relu(x);
    x.clone() * x
}

fn silu(x: Tensor<3>) -> Tensor<3> {
    x.clone() * sigmoid(x)
}
