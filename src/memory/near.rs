//! Helpers of stores that search through a graph.

use super::Found;

/// Most keys that are searched one and all: 8 MB of 64 numbers, half a millisecond a query.
pub const MANY: usize = 32_768;

/// A slot that may be among the nearest of a query: its distance, id, key and value.
pub type Near = (f32, u64, Vec<f32>, Vec<f32>);

impl Found {
    /// Adds the nearest of these, for one more query.
    pub(super) fn push(&mut self, mut near: Vec<Near>) {
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (distance, id, key, value) in near.into_iter().take(self.k) {
            self.distances.push(distance);
            self.ids.push(id);
            self.keys.extend(key);
            self.values.extend(value);
        }
    }
}

/// Queries for a search that takes finite numbers only. To others no slot is nearer than another.
pub fn finite(queries: &[f32]) -> Vec<f32> {
    queries.iter().map(|x| if x.is_finite() { *x } else { 0.0 }).collect()
}
