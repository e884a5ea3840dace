//! Weights dropped of a pattern.

use std::ops::Range;

use super::heads::Heads;
use crate::base::lanes::{LANES, Lanes};
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

    /// Factors of the weights of `key` for the queries from `first` on, in some lanes.
    pub fn of_queries(self, first: usize, key: usize, lanes: Range<usize>) -> Lanes {
        in_lanes(lanes, |l| self.factor(first + l, key))
    }

    /// Factors of the weights of the keys from `first` on for `query`, in some lanes.
    pub fn of_keys(self, query: usize, first: usize, lanes: Range<usize>) -> Lanes {
        in_lanes(lanes, |l| self.factor(query, first + l))
    }

    fn factor(self, query: usize, key: usize) -> f32 {
        self.dropout.factor((self.first + query * self.seq + key) as u32)
    }
}

fn in_lanes(lanes: Range<usize>, of: impl Fn(usize) -> f32) -> Lanes {
    let mut factors = [0.0; LANES];
    lanes.for_each(|l| factors[l] = of(l));
    factors
}
