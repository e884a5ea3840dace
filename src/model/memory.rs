//! Memory in the place of a feed-forward layer: a token reads the slots near its query from a store.

mod read;

pub use read::LayerRead;

use burn::tensor::Tensor;

use super::Weights;
use crate::arch::StoredMemory;
use crate::config::Distance;
use crate::kernel::dropout::Dropout;
use crate::kernel::linear::Linear;
use crate::kernel::param::Param;
use crate::kernel::recall::{Asked, Form, Slots, read};

#[derive(Clone, Debug)]
pub struct MemoryLayer {
    q: Linear, // [d_model, d_key]
    /// `W_K` and `W_V` of an associative layer: `[d_model, d_key]` each.
    written: Option<[Linear; 2]>,
    o: Linear,           // [d_key, d_model]
    sharpness: Param<1>, // [1]
    form: Form,
    top_k: usize,
}

impl MemoryLayer {
    pub fn new(part: StoredMemory, weights: &Weights, name: &str) -> Self {
        let StoredMemory { is_associative, d_key, distance, top_k } = part;
        // In a featural layer, where the query is what is written down, its gradient by distances is exact.
        let by_distance = !is_associative && distance == Distance::L2;
        Self {
            q: weights.linear(name, "Q"),
            written: is_associative.then(|| ["K", "V"].map(|of| weights.linear(name, of))),
            o: weights.linear(name, "O"),
            sharpness: weights
                .vector(&format!("{name}.sharpness"))
                .expect("a memory layer has a sharpness"),
            form: Form { n_heads: 1, width: d_key, by_distance, estimates: true },
            top_k,
        }
    }

    /// The residual stream after this layer has written into it what it found among `slots`, and what it
    /// read.
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
        let projected = match &self.written {
            Some([k, v]) => Linear::side_by_side([&self.q, k, v], x),
            None => self.q.apply(x),
        };
        let Asked { found, keys, values } =
            slots.find(constant(&projected), self.form, self.top_k);
        let mut asked = LayerRead { found, keys, values, trained: None };
        if asked.found.k() == 0 {
            return (resid, asked);
        }
        // A featural layer's values are always trained.
        let is_trained = trains_values || self.written.is_none();
        let (z, trained) = read(projected, &asked.found, self.form, &self.sharpness, is_trained);
        asked.trained = trained;
        (self.o.add(z, resid, dropout.site(3)), asked)
    }
}

/// The values alone.
pub(super) fn constant<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    if x.is_autodiff() { x.clone().inner() } else { x.clone() }
}
