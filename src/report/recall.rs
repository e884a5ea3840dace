//! Queries that a model answers from what stands before them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Score;

/// Accuracy of queries, on held-out records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecallReport {
    /// By the binary logarithm of the gap, rounded down.
    gaps: BTreeMap<u32, Score>,
}

impl RecallReport {
    /// Adds a query, `gap` tokens after what it asks for.
    pub fn add_query(&mut self, gap: usize, is_right: bool) {
        self.gaps.entry(gap.max(1).ilog2()).or_default().add(is_right);
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (gap, score) in &other.gaps {
            self.gaps.entry(*gap).or_default().add_all(score);
        }
    }

    /// The score of all queries.
    pub fn all(&self) -> Score {
        let mut all = Score::default();
        self.gaps.values().for_each(|score| all.add_all(score));
        all
    }

    /// The scores of queries by gap, each with its name.
    pub fn by_gap(&self) -> Vec<(String, Score)> {
        let name = |gap: u32| format!("gap of {} to {} tokens", 1u64 << gap, (2u64 << gap) - 1);
        self.gaps.iter().map(|(gap, score)| (name(*gap), *score)).collect()
    }
}
