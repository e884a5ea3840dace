//! Memory in the place of a feed-forward layer: a token reads the slots near its query from a store.
//!
//! Queries and keys have length 1, so that one threshold serves every layer and step, and old keys stay
//! comparable (Wu et al. 2022, section 3.2).

mod read;

pub use read::LayerRead;

use burn::tensor::Tensor;

use super::Weights;
use super::slots::Slots;
use crate::arch::{EPSILON, SHARPNESS, StoredMemory};
use crate::config::Distance;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;

#[derive(Clone, Debug)]
pub struct MemoryLayer {
    q: Linear, // [d_model, d_key]
    /// `W_K` and `W_V` of an associative layer: `[d_model, d_key]` each.
    written: Option<[Linear; 2]>,
    o: Linear,           // [d_key, d_model]
    sharpness: Param<1>, // [1]
    distance: Distance,
    top_k: usize,
}

impl MemoryLayer {
    pub fn new(part: StoredMemory, weights: &Weights, name: &str) -> Self {
        let StoredMemory { is_associative, distance, top_k, .. } = part;
        Self {
            q: weights.linear(name, "Q"),
            written: is_associative.then(|| ["K", "V"].map(|of| weights.linear(name, of))),
            o: weights.linear(name, "O"),
            sharpness: weights
                .vector(&format!("{name}.sharpness"))
                .expect("a memory layer has a sharpness"),
            distance,
            top_k,
        }
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
        trains_values: bool,
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
        // A featural layer's values are always trained.
        let is_trained = trains_values || self.written.is_none();
        let (trained, values) = if is_trained { leaf(values) } else { (None, values) };
        read.trained = trained;
        let (scores, values) = match &self.written {
            Some(_) => (
                cosines(q.clone(), straight_through(straight_through(keys, q), k)),
                straight_through(values, v),
            ),
            None => {
                let far = match self.distance {
                    Distance::L2 => apart(q.clone(), keys),
                    Distance::Cosine => cosines(q.clone(), keys).neg(),
                };
                (far.neg(), straight_through(values, q))
            }
        };
        let sharpness = self.sharpness.tensor().abs().mul_scalar(SHARPNESS).unsqueeze::<2>(); // [1, 1]
        let weights = softmax_from_first(scores * sharpness); // [n, k]
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
pub fn straight_through(found: Tensor<3>, estimate: Tensor<2>) -> Tensor<3> {
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
pub(super) fn softmax_from_first(scores: Tensor<2>) -> Tensor<2> {
    let first = scores.clone().narrow(1, 0, 1);
    let powers = (scores - first).exp();
    let total = powers.clone().sum_dim(1);
    powers / total
}

/// Cosines of each query with its keys, which have length 1: `[n, k]`.
fn cosines(q: Tensor<2>, keys: Tensor<3>) -> Tensor<2> {
    (q.unsqueeze_dim::<3>(1) * keys).sum_dim(2).squeeze_dim::<2>(2)
}

/// Distances of each query from its keys: `[n, k]`.
fn apart(q: Tensor<2>, keys: Tensor<3>) -> Tensor<2> {
    let between = q.unsqueeze_dim::<3>(1) - keys;
    between.square().sum_dim(2).add_scalar(EPSILON).sqrt().squeeze_dim::<2>(2)
}
