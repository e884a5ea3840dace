//! A batch as a memory layer read it.

use super::{NewSlot, Origin, Shape};

/// Keys, values and gradient of a layer's pass over a batch.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Key and value of the slot that each token would be written down as: `[n, d_key]` and `[n, d_value]`.
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
    /// The gradient by the values found, if they are trained, with what they are moved by:
    /// `[n, k, d_value]`.
    pub gradient: Option<(Vec<f32>, f32)>,
}

impl Read {
    /// The slot that token `at` would be written down as.
    pub fn slot(&self, at: usize, shape: Shape, origin: Origin) -> NewSlot {
        let Shape { d_key, d_value, .. } = shape;
        let row = |values: &[f32], width| values[at * width..][..width].to_vec();
        NewSlot { key: row(&self.keys, d_key), value: row(&self.values, d_value), origin }
    }
}
