//! Scores of keys that a query does not see.

use super::heads::Heads;
use crate::base::lanes::{LANES, Lanes};
use crate::kernel::attention::mask::HIDDEN;

/// The score of a key after its query. Below [`HIDDEN`], so that it is never the greatest.
const MASKED: f32 = -1e30;

/// Numbers added to the scores of every key: `[key]`, padded to whole lanes.
pub fn added(heads: Heads, hidden: Option<&[bool]>) -> Vec<Lanes> {
    let mut added = vec![[0.0; LANES]; heads.seq.div_ceil(LANES)];
    for (key, hidden) in hidden.unwrap_or_default().iter().enumerate() {
        added[key / LANES][key % LANES] = if *hidden { HIDDEN } else { 0.0 };
    }
    added
}

/// The most that scores may be where a block of as many queries and keys meets itself: by key, a query a lane.
pub const MOST_BY_KEY: [Lanes; LANES] = most(true);

/// [`MOST_BY_KEY`] by query, a key a lane.
pub const MOST_BY_QUERY: [Lanes; LANES] = most(false);

const fn most(is_by_key: bool) -> [Lanes; LANES] {
    let mut most = [[f32::INFINITY; LANES]; LANES];
    let mut key = 0;
    while key < LANES {
        let mut query = 0;
        while query < key {
            let (row, lane) = if is_by_key { (key, query) } else { (query, key) };
            most[row][lane] = MASKED;
            query += 1;
        }
        key += 1;
    }
    most
}
