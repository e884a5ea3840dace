//! Weights dropped of a pattern.

use super::heads::Heads;
use crate::base::lanes::Lanes;
use crate::kernel::dropout::Dropout;

/// Weights dropped of one head's pattern.
#[derive(Clone, Copy)]
pub struct Dropped {
    dropout: Dropout,
    first: usize,
    seq: usize,
}

impl Dropped {
    /// Weights dropped of `head` in `row` of those given; `None` if nothing is dropped.
    pub fn new(dropout: Dropout, heads: Heads, row: usize, head: usize) -> Option<Self> {
        let Heads { seq, n_heads, .. } = heads;
        let number = (dropout.row() + row) * n_heads + head;
        (!dropout.is_none()).then_some(Self { dropout, first: number * seq * seq, seq })
    }

    /// Factors of the weights of `key` for the queries from `first` on.
    pub fn of_queries(self, first: usize, key: usize) -> Lanes {
        std::array::from_fn(|l| self.factor(first + l, key))
    }

    /// Factors of the weights of the keys from `first` on for `query`.
    pub fn of_keys(self, query: usize, first: usize) -> Lanes {
        std::array::from_fn(|l| self.factor(query, first + l))
    }

    fn factor(self, query: usize, key: usize) -> f32 {
        self.dropout.factor((self.first + query * self.seq + key) as u32)
    }
}
