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

/// The most that scores may be if the first `n` lanes are not seen, `n` up to all.
pub const WITHOUT_FIRST: [Lanes; LANES + 1] = most(false);

/// The most that scores may be if only the first `n` lanes are seen, `n` up to all.
pub const FIRST_ONLY: [Lanes; LANES + 1] = most(true);

const fn most(first: bool) -> [Lanes; LANES + 1] {
    let mut most = [[f32::INFINITY; LANES]; LANES + 1];
    let mut n = 0;
    while n <= LANES {
        let mut lane = 0;
        while lane < LANES {
            if (lane < n) != first {
                most[n][lane] = MASKED;
            }
            lane += 1;
        }
        n += 1;
    }
    most
}
