//! Gated causal convolution: see [`GatedConv`](crate::arch::GatedConv) and [`kernel::conv`](crate::kernel::conv). A token costs the
//! same however many came before.

use burn::tensor::Tensor;

use super::Weights;
use super::heads::HeadOutputs;
use crate::config::ModelConfig;
use crate::kernel::attention::Mask;
use crate::kernel::conv::{Filter, convolve, follow};
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;

#[derive(Clone, Debug)]
pub struct GatedConv {
    gate: Linear,   // [d_model, n_heads * d_head]
    value: Linear,  // [d_model, n_heads * d_head]
    filter: Filter, // [conv_width, n_heads * d_head]
    outputs: HeadOutputs,
}

/// The last values: see [`follow`].
#[derive(Clone, Debug, Default)]
pub struct ConvState {
    values: Option<Tensor<3>>,
    tokens: usize,
}

impl ConvState {
    /// Tokens read.
    pub fn len(&self) -> usize {
        self.tokens
    }
}

impl GatedConv {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        let [gate, value] = ["Q", "V"].map(|of| weights.linear(name, of));
        let w = weights.matrix(&format!("{name}.conv.w"));
        let filter = Filter { w, b: weights.vector(&format!("{name}.conv.b")) };
        Self { gate, value, filter, outputs: HeadOutputs::new(config, weights, name) }
    }

    /// The residual stream after the convolution has written into it. A hidden token has no value.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid` and the result: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        mask: &Mask,
        dropout: Dropout,
    ) -> Tensor<3> {
        let gv = Linear::side_by_side([&self.gate, &self.value], x);
        let z = convolve(gv, &self.filter, mask);
        self.outputs.write(z, resid, dropout.site(2))
    }

    /// As [`forward`](Self::forward), of tokens that follow those in `state`, and join them.
    ///
    /// # Shapes
    /// As there, with a batch of 1.
    pub fn forward_cached(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        state: &mut ConvState,
    ) -> Tensor<3> {
        let [_, seq, _] = x.dims();
        let gv = Linear::side_by_side([&self.gate, &self.value], x);
        let (z, after) = follow(gv, &self.filter, state.values.take());
        *state = ConvState { values: Some(after), tokens: state.tokens + seq };
        self.outputs.write(z, resid, Dropout::NONE)
    }
}
