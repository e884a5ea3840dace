//! Projections of the residual stream to heads and back, which all mixers of heads share: grouped keys and values,
//! norms, rotary positions and gates; and the latter half of that for mixers without keys.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::Weights;
use super::norm::Norm;
use super::rotary::Rotation;
use crate::arch::Side;
use crate::config::ModelConfig;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;

#[derive(Clone, Debug)]
pub struct Heads {
    pub n_heads: usize,
    pub d_head: usize,
    q: Linear, // [d_model, n_heads * d_head]
    k: Linear, // [d_model, kv_heads * d_head]
    v: Linear, // [d_model, kv_heads * d_head]
    /// Every head has keys of its own, used as they are but for a rotation.
    is_simple: bool,
    q_norm: Norm, // [d_head]
    k_norm: Norm, // [d_head]
    outputs: HeadOutputs,
}

/// Outputs of heads on their way into the residual stream.
#[derive(Clone, Debug)]
pub struct HeadOutputs {
    n_heads: usize,
    d_head: usize,
    o: Linear,               // [n_heads * d_head, d_model]
    gates: Option<Param<1>>, // [n_heads], before the sigmoid
}

impl Heads {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        let [q, k, v] = ["Q", "K", "V"].map(|of| weights.linear(name, of));
        let [q_norm, k_norm] = ["q_norm", "k_norm"]
            .map(|norm| Norm::of_heads(config, weights, &format!("{name}.{norm}")));
        let (n_heads, d_head) = (config.n_heads, config.d_head());
        let is_simple = config.kv_heads() == n_heads && !config.qk_norm;
        let outputs = HeadOutputs::new(config, weights, name);
        Self { n_heads, d_head, q, k, v, is_simple, q_norm, k_norm, outputs }
    }

    /// Queries, keys and values of every head side by side, rotated if there is a rotation:
    /// `[batch, seq, 3 * n_heads * d_head]`.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`
    pub fn project(&self, x: Tensor<3>, rotation: Option<&Rotation>) -> Tensor<3> {
        if self.is_simple && rotation.is_none() {
            return Linear::side_by_side([&self.q, &self.k, &self.v], x);
        }
        let turn = |side: Side| rotation.map(|rotation| (rotation, side));
        let q = self.apply_rope(self.q.apply(x.clone()), &self.q_norm, turn(Side::Queries));
        let k = self.apply_rope(self.k.apply(x.clone()), &self.k_norm, turn(Side::Keys));
        let v = self.v.apply(x);
        Tensor::cat(vec![q, self.share(k), self.share(v)], 2)
    }

    /// As [`HeadOutputs::write`].
    ///
    /// # Shapes
    /// As there.
    pub fn write(&self, z: Tensor<3>, resid: Tensor<3>, dropout: Dropout) -> Tensor<3> {
        self.outputs.write(z, resid, dropout)
    }

    /// Queries or keys through the norm and the rotation of each head.
    fn apply_rope(
        &self,
        x: Tensor<3>,
        norm: &Norm,
        rotation: Option<(&Rotation, Side)>,
    ) -> Tensor<3> {
        let [batch, seq, width] = x.dims();
        let heads = width / self.d_head;
        let x = norm.forward(x.reshape([batch, seq * heads, self.d_head]));
        let Some((rotation, side)) = rotation else { return x.reshape([batch, seq, width]) };
        let x = rotation.apply(side, x.reshape([batch, seq, heads, self.d_head]));
        x.reshape([batch, seq, width])
    }

    /// Keys or values once for each head that reads them (Ainslie et al. 2023).
    fn share(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, seq, width] = x.dims();
        let heads = width / self.d_head;
        let each = x.reshape([batch, seq, heads, self.d_head]);
        let readers = vec![each; self.n_heads / heads];
        Tensor::cat(readers, 3).reshape([batch, seq, self.n_heads * self.d_head])
    }
}

impl HeadOutputs {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str) -> Self {
        let gates = weights.vector(&format!("{name}.contribution"));
        let (n_heads, d_head) = (config.n_heads, config.d_head());
        Self { n_heads, d_head, o: weights.linear(name, "O"), gates }
    }

    /// The residual stream after the outputs of all heads, each times its gate, are written into it.
    ///
    /// # Shapes
    /// `z`: `[batch, seq, n_heads * d_head]`; `resid` and the result: `[batch, seq, d_model]`
    pub fn write(&self, z: Tensor<3>, resid: Tensor<3>, dropout: Dropout) -> Tensor<3> {
        self.o.add(self.gate_heads(z), resid, dropout)
    }

    /// Head outputs, each times its gate: `[batch, seq, n_heads * d_head]`.
    fn gate_heads(&self, z: Tensor<3>) -> Tensor<3> {
        let Some(gates) = &self.gates else { return z };
        let [batch, seq, width] = z.dims();
        let (heads, d_head) = (self.n_heads, self.d_head);
        let shares = sigmoid(gates.tensor()).reshape([1, 1, heads, 1]);
        (z.reshape([batch, seq, heads, d_head]) * shares).reshape([batch, seq, width])
    }
}
