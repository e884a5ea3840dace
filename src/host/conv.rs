//! Gated causal convolution of all heads, and the values it keeps: see [`GatedConv`](crate::arch::GatedConv).

use super::heads::HeadOutputs;
use super::intervene::Interventions;
use super::linear::{Linear, Parameters};
use super::mixed::Mixed;
use crate::config::ModelConfig;

#[derive(Clone, Debug)]
pub struct GatedConv {
    gate: Linear,  // [d_model, n_heads * d_head]
    value: Linear, // [d_model, n_heads * d_head]
    /// Kernels by distance: `[conv_width, n_heads * d_head]`.
    w: Vec<f32>,
    b: Option<Vec<f32>>, // [n_heads * d_head]
    pub outputs: HeadOutputs,
}

/// The last values before the next token, oldest first, 0 where there was no token:
/// `[conv_width - 1, n_heads * d_head]`.
#[derive(Clone, Debug, Default)]
pub struct ConvState {
    values: Vec<f32>,
}

impl ConvState {
    /// Numbers that it holds, whatever the number of tokens.
    pub fn numbers(&self) -> usize {
        self.values.len()
    }
}

impl GatedConv {
    pub fn new(config: &ModelConfig, parameters: Parameters, name: &str) -> Self {
        let [gate, value] = ["Q", "V"].map(|of| parameters.linear(name, of));
        let w = parameters.required(&format!("{name}.conv.w"));
        let b = parameters.get(&format!("{name}.conv.b"));
        Self { gate, value, w, b, outputs: HeadOutputs::new(config, parameters, name) }
    }

    /// The projections, by the ends of their names.
    #[cfg(feature = "cli")]
    pub fn projections(&mut self) -> Vec<(&'static str, &mut Linear)> {
        let Self { gate, value, outputs, .. } = self;
        vec![("attn.W_Q", gate), ("attn.W_V", value), outputs.projection()]
    }

    /// Head outputs of tokens that follow those in `state`, and join them: `[seq, n_heads * d_head]`. There is no
    /// pattern to intervene on.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn decode(&self, x: &[f32], state: &mut ConvState, edits: Interventions) -> Vec<f32> {
        let kept = self.w.len() - self.outputs.width();
        state.values.resize(kept, 0.0);
        state.values.extend(self.value.forward(x));
        let z = self.convolve(self.gate.forward(x), &state.values, edits);
        state.values.drain(..state.values.len() - kept);
        z
    }

    /// Activations of a whole prompt. A head weighs each of its numbers by itself, so its pattern is the mean over them of the
    /// weights `g_t κ_{t−s}` that the value of a token `s` has in the output of `t`, which may be negative. Outputs are
    /// computed number by number and not from the pattern, on which there is nothing to intervene.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn record(&self, x: &[f32], edits: Interventions) -> Mixed {
        let (width, d_head, n_heads) =
            (self.outputs.width(), self.outputs.d_head, self.outputs.n_heads);
        let (gates, v) = (self.gate.forward(x), self.value.forward(x));
        let seq = v.len() / width;
        let mut pattern = vec![0.0; n_heads * seq * seq];
        for (head, pattern) in pattern.chunks_mut((seq * seq).max(1)).enumerate() {
            let own = |row: &[f32]| row[head * d_head..][..d_head].to_vec();
            let kernels: Vec<Vec<f32>> = self.w.chunks(width).map(own).collect();
            for (token, row) in pattern.chunks_mut(seq).enumerate() {
                let gates = own(&gates[token * width..]);
                for (weight, kernel) in row[..=token].iter_mut().rev().zip(&kernels) {
                    let total: f32 = gates.iter().zip(kernel).map(|(gate, w)| gate * w).sum();
                    *weight = total / d_head as f32;
                }
            }
        }
        let values = [vec![0.0; self.w.len() - width], v.clone()].concat();
        let z = self.convolve(gates.clone(), &values, edits);
        Mixed { q: gates, k: Vec::new(), v, pattern, z, gates: Vec::new(), recalled: None }
    }

    /// Head outputs, by gates and the values of their tokens with those before: `[seq, n_heads * d_head]`.
    ///
    /// # Shapes
    /// `gates`: `[seq, n_heads * d_head]`; `values`: `[conv_width - 1 + seq, n_heads * d_head]`
    fn convolve(&self, gates: Vec<f32>, values: &[f32], edits: Interventions) -> Vec<f32> {
        let width = self.outputs.width();
        let mut z = gates;
        let windows = values.windows(self.w.len()).step_by(width);
        for (z, values) in z.chunks_mut(width).zip(windows) {
            let mut sum = self.b.clone().unwrap_or_else(|| vec![0.0; width]);
            for (w, values) in self.w.chunks(width).zip(values.chunks(width).rev()) {
                for ((sum, w), value) in sum.iter_mut().zip(w).zip(values) {
                    *sum += w * value;
                }
            }
            z.iter_mut().zip(sum).for_each(|(z, sum)| *z *= sum);
        }
        // Of no tokens there are no heads to finish.
        let n_heads = if z.is_empty() { 0 } else { self.outputs.n_heads };
        for head in 0..n_heads {
            let start = head * self.outputs.d_head;
            self.outputs.finish(head, &mut z[start..], edits);
        }
        z
    }
}
