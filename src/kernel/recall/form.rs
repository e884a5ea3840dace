//! Form of a read: its heads, its scores of the slots found, and its gradients.

use crate::arch::SHARPNESS;

/// Form of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Form {
    /// Heads, of which each weighs the slots found by its own part of the keys. The parts have the same length, and
    /// length 1 together.
    pub n_heads: usize,
    /// Numbers of a query, a key and a value.
    pub width: usize,
    /// Scores are distances with their sign turned; otherwise cosines.
    pub by_distance: bool,
    /// The gradient by the values found also goes to what is written down: the straight-through estimate (Bengio et al.
    /// 2013). For keys it is 0: softmax's gradients by the scores of one query add up to 0.
    pub estimates: bool,
}

impl Form {
    pub fn d_head(self) -> usize {
        self.width / self.n_heads
    }

    /// Factor of the scores' sharpness: a head's cosine is `n_heads` times the product of its parts.
    pub(super) fn scale(self) -> f32 {
        SHARPNESS * self.n_heads as f32
    }
}
