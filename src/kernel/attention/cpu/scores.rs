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

/// Takes the scores out whose lane is of a key after its query.
#[inline(always)]
pub fn mask(scores: &mut Lanes, is_after: impl Fn(usize) -> bool) {
    for (l, score) in scores.iter_mut().enumerate() {
        if is_after(l) {
            *score = MASKED;
        }
    }
}
