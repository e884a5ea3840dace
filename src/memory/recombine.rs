//! Recombination: keys that come back together again and again become one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Found, Store, StoreError};

/// Times that two slots were the two nearest of one query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<((u64, u64), u32)>", into = "Vec<((u64, u64), u32)>")]
pub struct Pairs {
    counts: BTreeMap<(u64, u64), u32>,
}

impl From<Vec<((u64, u64), u32)>> for Pairs {
    fn from(counts: Vec<((u64, u64), u32)>) -> Self {
        Self { counts: counts.into_iter().collect() }
    }
}

impl From<Pairs> for Vec<((u64, u64), u32)> {
    fn from(pairs: Pairs) -> Self {
        pairs.counts.into_iter().collect()
    }
}

impl Pairs {
    /// Counts what was `found`, and merges those that then came back together more than `most` times:
    /// the later slot into the earlier. How many slots went.
    ///
    /// Only the two nearest slots of each query count, so that the counts grow with the queries alone. If
    /// more than four pairs a slot are known, all counts are halved, and those of 0 forgotten.
    ///
    /// # Errors
    /// If the store failed.
    pub fn recombine(
        &mut self,
        store: &mut dyn Store,
        found: &Found,
        limit: u32,
    ) -> Result<usize, StoreError> {
        if found.k < 2 {
            return Ok(0);
        }
        for ids in found.ids.chunks(found.k) {
            let pair = (ids[0].min(ids[1]), ids[0].max(ids[1]));
            *self.counts.entry(pair).or_default() += 1;
        }
        let due: Vec<(u64, u64)> =
            self.counts.iter().filter(|(_, count)| **count > limit).map(|(pair, _)| *pair).collect();
        let before = store.count()?;
        for (kept, gone) in due {
            store.merge(kept, gone)?;
            self.counts.retain(|(a, b), _| *a != gone && *b != gone);
        }
        let after = store.count()?;
        if self.counts.len() > 4 * after {
            self.counts.retain(|_, count| {
                *count /= 2;
                *count > 0
            });
        }
        Ok(before - after)
    }
}
