//! Weights dropped of a pattern.

use super::heads::Heads;
use crate::kernel::dropout::Dropout;

/// Weights dropped of one head's pattern.
#[derive(Clone, Copy)]
pub struct Dropped {
    dropout: Dropout,
    first: usize,
    seq: usize,
}

impl Dropped {
    /// `None` if nothing is dropped; `number` counts the heads of all rows.
    pub fn new(dropout: Dropout, heads: Heads, number: usize) -> Option<Self> {
        let seq = heads.seq;
        (!dropout.is_none()).then_some(Self { dropout, first: number * seq * seq, seq })
    }

    pub fn factor(self, query: usize, key: usize) -> f32 {
        self.dropout.factor((self.first + query * self.seq + key) as u32)
    }
}
