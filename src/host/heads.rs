//! Projections of the residual stream to heads and back, shared by all mixers with heads: KV heads, norms, rotary
//! positions and head gates; and the latter half of that for mixers without keys.

use std::ops::Range;

use super::intervene::Interventions;
use super::linear::{Linear, Parameters};
use super::norm::Norm;
use crate::arch::{Rotary, Side, head_gate};
use crate::config::ModelConfig;
use crate::run::Site;

#[derive(Clone, Debug)]
pub struct Heads {
    pub n_heads: usize,
    pub kv_heads: usize,
    pub d_head: usize,
    q: Linear,    // [d_model, n_heads * d_head]
    k: Linear,    // [d_model, kv_heads * d_head]
    v: Linear,    // [d_model, kv_heads * d_head]
    q_norm: Norm, // [d_head]
    k_norm: Norm, // [d_head]
    rotary: Option<Rotary>,
    outputs: HeadOutputs,
}

/// Outputs of heads on their way into the residual stream.
#[derive(Clone, Debug)]
pub struct HeadOutputs {
    pub n_heads: usize,
    pub d_head: usize,
    o: Linear, // [n_heads * d_head, d_model]
    /// Head gates: `[n_heads]`; empty if all are 1.
    gates: Vec<f32>,
}

impl Heads {
    pub fn new(config: &ModelConfig, parameters: Parameters, name: &str) -> Self {
        let [q, k, v] = ["Q", "K", "V"].map(|of| parameters.linear(name, of));
        let [q_norm, k_norm] = ["q_norm", "k_norm"]
            .map(|norm| Norm::of_heads(config, parameters, &format!("{name}.{norm}")));
        let (n_heads, kv_heads, d_head) = (config.n_heads, config.kv_heads(), config.d_head());
        let rotary = Rotary::of(config);
        let outputs = HeadOutputs::new(config, parameters, name);
        Self { n_heads, kv_heads, d_head, q, k, v, q_norm, k_norm, rotary, outputs }
    }

    /// The projections, by the ends of their names.
    #[cfg(feature = "cli")]
    pub fn projections(&mut self) -> Vec<(&'static str, &mut Linear)> {
        let Self { q, k, v, outputs, .. } = self;
        let o = outputs.projection();
        vec![("attn.W_Q", q), ("attn.W_K", k), ("attn.W_V", v), o]
    }

    /// Queries, `[seq, n_heads * d_head]`, keys and values, `[seq, kv_heads * d_head]`, before rotary encoding.
    ///
    /// # Shapes
    /// `x`: `[seq, d_model]`
    pub fn project(&self, x: &[f32]) -> [Vec<f32>; 3] {
        let q = self.q_norm.forward(&self.q.forward(x));
        let k = self.k_norm.forward(&self.k.forward(x));
        [q, k, self.v.forward(x)]
    }

    /// Applies rotary encoding to each head of queries, `[seq, n_heads * d_head]`, or keys, `[seq, kv_heads * d_head]`, at
    /// positions from `start`.
    pub fn apply_rope(&self, mut x: Vec<f32>, side: Side, start: usize) -> Vec<f32> {
        let Some(rotary) = self.rotary else { return x };
        let half = rotary.pairs();
        let width = match side {
            Side::Queries => self.width(),
            Side::Keys => self.kv_width(),
        };
        for (row, position) in x.chunks_mut(width).zip(start..) {
            for pair in 0..half {
                let [sin, cos] = rotary.turn(side, position, pair).map(|x| x as f32);
                for head in row.chunks_mut(self.d_head) {
                    let (a, b) = (head[pair], head[pair + half]);
                    head[pair] = a * cos - b * sin;
                    head[pair + half] = b * cos + a * sin;
                }
            }
        }
        x
    }

    /// As [`HeadOutputs::finish`].
    ///
    /// # Shapes
    /// As there.
    pub fn finish(&self, head: usize, z: &mut [f32], edits: Interventions) {
        self.outputs.finish(head, z, edits);
    }

    /// As [`HeadOutputs::write`].
    ///
    /// # Shapes
    /// As there.
    pub fn write(&self, z: &[f32]) -> Vec<f32> {
        self.outputs.write(z)
    }

    /// Repeats keys or values, `[seq, kv_heads * d_head]`, for each head that reads them: `[seq, n_heads * d_head]`.
    pub fn of_all_heads(&self, x: &[f32]) -> Vec<f32> {
        x.chunks(self.d_head).flat_map(|head| head.repeat(self.readers())).collect()
    }

    /// Number of components of all heads.
    pub fn width(&self) -> usize {
        self.outputs.width()
    }

    /// Number of components of all KV heads.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.d_head
    }

    /// Number of heads per KV head.
    pub fn readers(&self) -> usize {
        self.n_heads / self.kv_heads
    }

    /// Range of a head's components within a token's row.
    pub fn own(&self, head: usize) -> Range<usize> {
        head * self.d_head..(head + 1) * self.d_head
    }
}

impl HeadOutputs {
    pub fn new(config: &ModelConfig, parameters: Parameters, name: &str) -> Self {
        let gates = parameters.get(&format!("{name}.contribution")).unwrap_or_default();
        let gates = gates.iter().map(|c| head_gate(*c)).collect();
        let (n_heads, d_head) = (config.n_heads, config.d_head());
        Self { n_heads, d_head, o: parameters.linear(name, "O"), gates }
    }

    /// The projection, by the end of its name.
    #[cfg(feature = "cli")]
    pub fn projection(&mut self) -> (&'static str, &mut Linear) {
        ("attn.W_O", &mut self.o)
    }

    /// Number of components of all heads.
    pub fn width(&self) -> usize {
        self.n_heads * self.d_head
    }

    /// Multiplies the output of `head` by its gate, and applies interventions on it.
    ///
    /// # Shapes
    /// `z`: `[seq, n_heads * d_head]` from the head's first component on
    pub fn finish(&self, head: usize, z: &mut [f32], edits: Interventions) {
        let width = self.width();
        if let Some(gate) = self.gates.get(head) {
            let rows = z.chunks_mut(width).flat_map(|row| &mut row[..self.d_head]);
            rows.for_each(|z| *z *= gate);
        }
        edits.apply(|layer| Site::Head { layer, head }, z, self.d_head, width);
    }

    /// Projects head outputs into the residual stream: `[seq, d_model]`.
    ///
    /// # Shapes
    /// `z`: `[seq, n_heads * d_head]`
    pub fn write(&self, z: &[f32]) -> Vec<f32> {
        self.o.forward(z)
    }
}
