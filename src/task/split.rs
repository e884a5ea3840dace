//! The split of records into training and validation ones, whatever the seed of a run.

use std::collections::HashMap;
use std::hash::Hash;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::base::hash::StableHash;

const SHUFFLE_SEED: u64 = 0x5EED;
/// One in this many of what is split by its hash is held out.
const HELD_OUT: u64 = 16;
/// More redraws than are ever needed, unless there is hardly anything to draw.
pub(super) const MAX_DRAWS: usize = 10_000;

/// Training records or held-out ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    Train,
    Validation,
}

/// An even draw from `0..n`; 0 if `n` is 0. The same on 32-bit and 64-bit machines.
pub(super) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    if n == 0 { 0 } else { rng.random_range(0..n as u32) as usize }
}

/// A fixed shuffle of `items`: always with the same seed.
pub(super) fn shuffle<T>(items: &mut [T]) {
    shuffle_by(SHUFFLE_SEED, items);
}

/// A shuffle of `items`: Fisher and Yates.
pub(super) fn shuffle_by<T>(seed: u64, items: &mut [T]) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for end in (1..items.len()).rev() {
        items.swap(end, below(&mut rng, end + 1));
    }
}

/// Picks a tenth of `keys`, rounded down but at least one, for validation: `true` where held out.
/// Equal keys stay together, so a few more may be held out; if there are two distinct keys or
/// more, at least one is left to train on.
pub(super) fn hold_out<K: Eq + Hash>(keys: &[K]) -> Vec<bool> {
    let mut places: HashMap<&K, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let group = *places.entry(key).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(index);
    }
    shuffle(&mut groups);
    groups.pop();
    let limit = (keys.len() / 10).max(1);
    let mut out = vec![false; keys.len()];
    let mut held = 0;
    for index in groups.into_iter().take_while(|group| {
        let more = held < limit;
        held += group.len();
        more
    }) {
        index.into_iter().for_each(|index| out[index] = true);
    }
    out
}

/// The split of `text`, by its hash.
pub(super) fn split_of(text: &str) -> Split {
    if stable_hash(text).is_multiple_of(HELD_OUT) { Split::Validation } else { Split::Train }
}

/// Draws until what is drawn is of `split`, as `split_of` tells. Where hardly anything can be drawn, the last may be of the
/// other.
pub(super) fn draw_of<T>(
    split: Split,
    mut draw: impl FnMut() -> T,
    split_of: impl Fn(&T) -> Split,
) -> T {
    let mut drawn = draw();
    for _ in 0..MAX_DRAWS {
        if split_of(&drawn) == split {
            break;
        }
        drawn = draw();
    }
    drawn
}

/// A hash that is the same in every version and on every machine.
fn stable_hash(text: &str) -> u64 {
    let mut hash = StableHash::default();
    hash.push(text.as_bytes());
    hash.finish()
}
