//! Dropout of activations (Srivastava et al. 2014). A hash of a seed and of an activation's place decides whether it is
//! dropped, so every device drops the same ones, forward and backward.

use burn::tensor::{Tensor, TensorData};
use burn_cubecl::cubecl;
use cubecl::prelude::*;
use serde::{Deserialize, Serialize};

/// A share of activations that is set to 0, the others being scaled up for it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dropout {
    p: f64,
    seed: u32,
    /// Place in its batch of the first row that is given.
    row: usize,
}

impl Default for Dropout {
    fn default() -> Self {
        Self::NONE
    }
}

impl Dropout {
    /// Nothing is dropped.
    pub const NONE: Self = Self { p: 0.0, seed: 0, row: 0 };

    /// A share `p` of activations, others for every `seed`.
    pub fn new(p: f64, seed: u64) -> Self {
        if p == 0.0 {
            return Self::NONE;
        }
        Self { p, seed: hash(seed as u32 ^ hash((seed >> 32) as u32)), row: 0 }
    }

    /// The same share, of other activations.
    pub fn site(self, number: u32) -> Self {
        if self.is_none() { self } else { Self { seed: hash(self.seed ^ hash(number)), ..self } }
    }

    /// The same dropout of the rows from `row` on, which drop what they would as part of the whole batch.
    pub fn from_row(self, row: usize) -> Self {
        Self { row, ..self }
    }

    /// True if its numbers are such as a run has.
    #[cfg(feature = "cli")]
    pub fn is_sound(self) -> bool {
        (0.0..1.0).contains(&self.p) && self.row < 1 << 20
    }

    /// Place in its batch of the first row that is given.
    pub fn row(self) -> usize {
        self.row
    }

    pub fn is_none(self) -> bool {
        self.p == 0.0
    }

    /// The factor on the activation at `place`.
    pub fn factor(self, place: u32) -> f32 {
        if hash(place ^ self.seed) < self.threshold() { 0.0 } else { self.scale() }
    }

    /// Drops of `x`, whose first axis is the batch's.
    pub fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        if self.is_none() {
            return x;
        }
        let (count, rows) = (x.shape().num_elements(), x.dims()[0]);
        let first = self.row * (count / rows.max(1));
        let factors = (first..first + count).map(|place| self.factor(place as u32));
        let factors = TensorData::new(factors.collect::<Vec<f32>>(), x.shape());
        let factors = Tensor::from_data(factors, &x.device());
        x * factors
    }

    pub fn seed(self) -> u32 {
        self.seed
    }

    /// Hashes below this are of what is dropped.
    pub fn threshold(self) -> u32 {
        (self.p * 2f64.powi(32)) as u32
    }

    /// The factor on the others.
    pub fn scale(self) -> f32 {
        (1.0 / (1.0 - self.p)) as f32
    }
}

/// Every bit of the result hangs on every bit of `x` (the constants are those that C. Wellons'
/// search found, "lowbias32").
fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ x >> 16
}

/// [`Dropout::factor`] in a GPU's kernels.
#[cube]
pub fn factor(place: u32, seed: u32, threshold: u32, scale: f32) -> f32 {
    let a = place ^ seed;
    let b = (a ^ (a >> 16)) * 0x7feb_352du32;
    let c = (b ^ (b >> 15)) * 0x846c_a68bu32;
    let hash = c ^ (c >> 16);
    select(hash < threshold, 0.0, scale)
}
