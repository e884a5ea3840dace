//! A memory in the place of a feed-forward layer: what is near a token's query is read from a store.
//!
//! Queries and keys have length 1, so that one threshold serves every layer and step, and old keys stay
//! comparable (Wu et al. 2022, section 3.2).

use burn::tensor::Tensor;

use super::Weights;
use super::slots::{Nearest, Slots};
use crate::config::{Distance, MemoryKind, ModelConfig};
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;

/// How sharply an untrained layer weighs: a slot that is farther by 1 counts e^8 times less.
pub const SHARPNESS: f32 = 8.0;
/// Added to a squared length before its root is taken, as nothing has a direction.
pub const EPSILON: f32 = 1e-8;

#[derive(Clone, Debug)]
pub struct MemoryLayer {
    q: Linear, // [d_model, d_key]
    /// Of an associative layer: `[d_model, d_key]` each.
    written: Option<[Linear; 2]>,
    o: Linear,           // [d_key, d_model]
    sharpness: Param<1>, // [1]
    distance: Distance,
    top_k: usize,
    /// Whether the values found are trained.
    trains_values: bool,
}

/// What a layer read a batch with, for its store to learn from.
#[derive(Clone, Debug)]
pub struct LayerRead {
    /// What was found by `n = batch * seq` tokens.
    pub nearest: Nearest,
    /// What would be written down of each token: `[n, d_key]` each.
    pub keys: Tensor<2>,
    pub values: Tensor<2>,
    /// The values found, by which a gradient can be taken, if they are trained: `[n * k, d_key]`.
    pub trained: Option<Tensor<2>>,
}

impl MemoryLayer {
    pub fn new(config: &ModelConfig, weights: &Weights, name: &str, kind: MemoryKind) -> Self {
        let is_associative = kind == MemoryKind::Associative;
        Self {
            q: weights.linear(name, "Q"),
            written: is_associative.then(|| ["K", "V"].map(|of| weights.linear(name, of))),
            o: weights.linear(name, "O"),
            sharpness: weights
                .vector(&format!("{name}.sharpness"))
                .expect("a memory layer has a sharpness"),
            distance: config.memory.distance,
            top_k: config.memory.top_k,
            trains_values: !is_associative,
        }
    }

    /// Has the values found trained, as those of a featural layer always are.
    pub fn train_values(&mut self) {
        self.trains_values = true;
    }

    /// The residual stream after this layer has written into it what it found among `slots`, and what it
    /// read.
    ///
    /// The gradient goes through the store by the straight-through estimate: that by a key found goes to
    /// the query that found it, and to the key that is written down; that by a value found to the value
    /// that is written down. In a featural layer, where the query is what is written down, the gradient of
    /// distances by the query is exact, and a key's would take it back: keys are constants there.
    ///
    /// # Shapes
    /// `x`: `[batch, seq, d_model]`, after the norm; `resid` and the result: `[batch, seq, d_model]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        resid: Tensor<3>,
        slots: &Slots,
        dropout: Dropout,
    ) -> (Tensor<3>, LayerRead) {
        let [batch, seq, _] = x.dims();
        let device = x.device();
        let q = unit(rows(self.q.apply(x.clone()))); // [n, d_key]
        let (k, v) = match &self.written {
            Some([k, v]) => (unit(rows(k.apply(x.clone()))), rows(v.apply(x))),
            None => (q.clone(), q.clone()),
        };
        let nearest = slots.nearest(constant(&q), self.top_k);
        let (keys, values) = (constant(&k), constant(&v));
        let mut read = LayerRead { nearest, keys, values, trained: None };
        if read.nearest.k() == 0 {
            return (resid, read);
        }
        let [keys, values] = read.nearest.slots(batch * seq, &device);
        let (trained, values) = if self.trains_values { leaf(values) } else { (None, values) };
        read.trained = trained;
        let (scores, values) = match &self.written {
            Some(_) => (cosines(q.clone(), carry(carry(keys, q), k)), carry(values, v)),
            None => {
                let far = match self.distance {
                    Distance::L2 => apart(q.clone(), keys),
                    Distance::Cosine => cosines(q.clone(), keys).neg(),
                };
                (far.neg(), carry(values, q))
            }
        };
        let sharpness = self.sharpness.tensor().abs().mul_scalar(SHARPNESS).unsqueeze::<2>(); // [1, 1]
        let weights = weigh(scores * sharpness); // [n, k]
        let z = (weights.unsqueeze_dim::<3>(2) * values).sum_dim(1).squeeze_dim::<2>(1); // [n, d_key]
        let [_, width] = z.dims();
        (self.o.add(z.reshape([batch, seq, width]), resid, dropout.site(3)), read)
    }
}

/// Every token of every row.
pub(super) fn rows(x: Tensor<3>) -> Tensor<2> {
    let [batch, seq, width] = x.dims();
    x.reshape([batch * seq, width])
}

/// Each row scaled to length 1.
pub(super) fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().square().sum_dim(1).add_scalar(EPSILON).sqrt(); // [n, 1]
    x / length
}

/// The values alone.
pub(super) fn constant<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    if x.is_autodiff() { x.clone().inner() } else { x.clone() }
}

/// `found` as it is, whose gradient also goes to `estimate`, once for each of the `k`
/// (Bengio et al. 2013, "straight-through").
///
/// # Shapes
/// `found`: `[n, k, width]`; `estimate`: `[n, width]`
pub fn carry(found: Tensor<3>, estimate: Tensor<2>) -> Tensor<3> {
    let nothing = estimate.clone() - estimate.detach();
    found + nothing.unsqueeze_dim::<3>(1)
}

/// `values` as a tensor whose gradient can be taken, if that of a pass can: `[n * k, width]`, and as they
/// were.
fn leaf(values: Tensor<3>) -> (Option<Tensor<2>>, Tensor<3>) {
    if !values.is_autodiff() {
        return (None, values);
    }
    let [n, k, width] = values.dims();
    let leaf = values.reshape([n * k, width]).detach().require_grad();
    (Some(leaf.clone()), leaf.reshape([n, k, width]))
}

/// Softmax of scores, of which the first is the largest or nearly so: that of the nearest. Taking it off, and
/// not the largest, spares a browser Burn's search for the largest and its gradient.
///
/// # Shapes
/// `scores` and the result: `[n, k]`
pub(super) fn weigh(scores: Tensor<2>) -> Tensor<2> {
    let first = scores.clone().narrow(1, 0, 1);
    let powers = (scores - first).exp();
    let total = powers.clone().sum_dim(1);
    powers / total
}

/// Of each query with each of its keys, which have length 1: `[n, k]`.
fn cosines(q: Tensor<2>, keys: Tensor<3>) -> Tensor<2> {
    (q.unsqueeze_dim::<3>(1) * keys).sum_dim(2).squeeze_dim::<2>(2)
}

/// Of each query from each of its keys: `[n, k]`.
fn apart(q: Tensor<2>, keys: Tensor<3>) -> Tensor<2> {
    let between = q.unsqueeze_dim::<3>(1) - keys;
    between.square().sum_dim(2).add_scalar(EPSILON).sqrt().squeeze_dim::<2>(2)
}
