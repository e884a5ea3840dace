//! The feed-forward layer.

use super::linear::{Linear, Parameters};
use crate::arch::{self, Activation, GELU_CUBE, GELU_SLOPE};

#[derive(Clone, Debug)]
pub struct Mlp {
    w_in: Linear,         // [d_model, d_mlp]
    gate: Option<Linear>, // [d_model, d_mlp]
    activate: fn(f32) -> f32,
    w_out: Linear, // [d_mlp, d_model]
}

impl Mlp {
    pub fn new(part: arch::Mlp, parameters: Parameters, name: &str) -> Self {
        let activate = match part.activation {
            Activation::Gelu => gelu,
            Activation::GeluTanh => gelu_tanh,
            Activation::Relu => |x: f32| x.max(0.0),
            Activation::Relu2 => |x: f32| x.max(0.0).powi(2),
            Activation::Sigmoid => sigmoid,
            Activation::Silu => silu,
        };
        let gate = part.is_gated.then(|| parameters.linear(name, "gate"));
        let [w_in, w_out] = ["in", "out"].map(|of| parameters.linear(name, of));
        Self { w_in, gate, activate, w_out }
    }

    /// The projections, by the ends of their names.
    #[cfg(feature = "cli")]
    pub fn projections(&mut self) -> impl Iterator<Item = (&'static str, &mut Linear)> {
        let gate = self.gate.as_mut().map(|gate| ("mlp.W_gate", gate));
        gate.into_iter().chain([("mlp.W_in", &mut self.w_in), ("mlp.W_out", &mut self.w_out)])
    }

    /// Hidden activations after the nonlinearity, and the output to the residual stream.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`; the result: `[seq, d_mlp]` and `[seq, d_model]`
    pub fn forward(&self, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut hidden = self.gate.as_ref().unwrap_or(&self.w_in).forward(x);
        hidden.iter_mut().for_each(|x| *x = (self.activate)(*x));
        if self.gate.is_some() {
            hidden.iter_mut().zip(self.w_in.forward(x)).for_each(|(gate, x)| *gate *= x);
        }
        let out = self.w_out.forward(&hidden);
        (hidden, out)
    }
}

/// `x Φ(x)`.
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

fn gelu_tanh(x: f32) -> f32 {
    x * sigmoid(GELU_SLOPE * (x + GELU_CUBE * x * x * x))
}

fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

fn sigmoid(x: f32) -> f32 {
    (1.0 + (-x).exp()).recip()
}
