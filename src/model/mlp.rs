//! The feed-forward layer: `f(x W_in + b_in) W_out + b_out`, or gated.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};

use super::Weights;
use crate::arch::{self, Activation, GELU_CUBE, GELU_SLOPE};
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;

#[derive(Clone, Debug)]
pub struct Mlp {
    w_in: Linear,         // [d_model, d_mlp]
    gate: Option<Linear>, // [d_model, d_mlp]
    activation: Activation,
    w_out: Linear, // [d_mlp, d_model]
}

impl Mlp {
    pub fn new(part: arch::Mlp, weights: &Weights, name: &str) -> Self {
        let [w_in, w_out] = ["in", "out"].map(|of| weights.linear(name, of));
        let gate = part.is_gated.then(|| weights.linear(name, "gate"));
        Self { w_in, gate, activation: part.activation, w_out }
    }

    /// The residual stream after this layer has written into it.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid` and the result:
    /// `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>, resid: Tensor<3>, dropout: Dropout) -> Tensor<3> {
        let hidden = match &self.gate {
            None => self.activate(&self.w_in, x),
            Some(gate) => self.activate(gate, x.clone()) * self.w_in.apply(x),
        }; // [batch, seq, d_mlp]
        self.w_out.add(hidden, resid, dropout.site(3))
    }

    /// The activation of a projection of `x`: `[batch, seq, d_mlp]`.
    fn activate(&self, linear: &Linear, x: Tensor<3>) -> Tensor<3> {
        match self.activation {
            Activation::Gelu => linear.apply_gelu(x), // fused
            Activation::GeluTanh => gelu_tanh(linear.apply(x)),
            Activation::Relu => relu(linear.apply(x)),
            Activation::Relu2 => relu2(linear.apply(x)),
            Activation::Sigmoid => sigmoid(linear.apply(x)),
            Activation::Silu => silu(linear.apply(x)),
        }
    }
}

/// GPT-2's approximation of `x Φ(x)` by a hyperbolic tangent, which is written as a sigmoid here.
fn gelu_tanh(x: Tensor<3>) -> Tensor<3> {
    let cube = x.clone() * x.clone() * x.clone();
    let inner = x.clone() + cube.mul_scalar(GELU_CUBE);
    x * sigmoid(inner.mul_scalar(GELU_SLOPE))
}

fn relu2(x: Tensor<3>) -> Tensor<3> {
    let x = relu(x);
    x.clone() * x
}

fn silu(x: Tensor<3>) -> Tensor<3> {
    x.clone() * sigmoid(x)
}
