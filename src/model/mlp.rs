//! The feed-forward layer: `f(x W_in + b_in) W_out + b_out`, or gated.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};

use super::Weights;
use crate::arch::{self, Activation, GELU_CUBE, GELU_SLOPE};
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;

#[derive(Clone, Debug)]
pub struct Mlp {
    w_in: Linear, // [d_model, d_mlp]
    hidden: Hidden,
    w_out: Linear, // [d_mlp, d_model]
}

/// The way from `x` to the hidden layer.
#[derive(Clone, Debug)]
enum Hidden {
    /// Fused with the first matrix.
    Gelu,
    Then(fn(Tensor<3>) -> Tensor<3>),
    /// With `W_gate`, `[d_model, d_mlp]`.
    Gated(Linear, fn(Tensor<3>) -> Tensor<3>),
}

impl Mlp {
    pub fn new(part: arch::Mlp, weights: &Weights, name: &str) -> Self {
        let [w_in, w_out] = ["in", "out"].map(|of| weights.linear(name, of));
        let activate = match part.activation {
            Activation::Gelu => gelu,
            Activation::GeluTanh => gelu_tanh,
            Activation::Relu => relu,
            Activation::Relu2 => relu2,
            Activation::Silu => silu,
        };
        let hidden = match part.activation {
            _ if part.is_gated => Hidden::Gated(weights.linear(name, "gate"), activate),
            Activation::Gelu => Hidden::Gelu,
            _ => Hidden::Then(activate),
        };
        Self { w_in, hidden, w_out }
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
            Hidden::Gated(gate, activate) => activate(gate.apply(x.clone())) * self.w_in.apply(x),
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

/// `x Φ(x)`, of a gate.
fn gelu(x: Tensor<3>) -> Tensor<3> {
    crate::kernel::gelu::gelu(x)
}

fn relu2(x: Tensor<3>) -> Tensor<3> {
    let x = relu(x);
    x.clone() * x
}

fn silu(x: Tensor<3>) -> Tensor<3> {
    x.clone() * sigmoid(x)
}
