//! Everything that can be set, in one table.

mod codec;
mod memory;
mod model;
mod noise;
mod task;
mod train;

use super::knob::int;
use super::limits::MAX_SEED;
use super::old::OLD_KEYS;
use super::setting::{Place, at};
use super::{Knob, Range, TaskKind};

const SEED: &[Knob] =
    &[int(at!(seed), "Seed", 0, MAX_SEED, "decides weights, batches and dropout")];

const GROUPS: [&[Knob]; 7] =
    [task::KNOBS, model::KNOBS, memory::KNOBS, train::KNOBS, noise::KNOBS, codec::KNOBS, SEED];

/// Every knob, in the order in which the page shows them.
pub const KNOBS: &[Knob] = &join::<{ count() }>();

const fn count() -> usize {
    let (mut group, mut count) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
}

const fn join<const COUNT: usize>() -> [Knob; COUNT] {
    let mut all = [SEED[0]; COUNT];
    let (mut group, mut done) = (0, 0);
    while group < GROUPS.len() {
        let (_, rest) = all.split_at_mut(done);
        let (these, _) = rest.split_at_mut(GROUPS[group].len());
        these.copy_from_slice(GROUPS[group]);
        done += GROUPS[group].len();
        group += 1;
    }
    all
}

impl Knob {
    /// The knob whose key is `key`, or was in an earlier version.
    pub fn find(key: &str) -> Option<&'static Knob> {
        let new = OLD_KEYS.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| new);
        KNOBS.iter().find(|knob| knob.key == new)
    }
}

impl TaskKind {
    /// The knob that holds the user's text, for a task that is made of one.
    pub fn text_knob(self) -> Option<&'static Knob> {
        let is_text = |knob: &&Knob| matches!(knob.range, Range::Text { .. });
        KNOBS.iter().filter(is_text).find(|knob| knob.task() == Some(self))
    }
}
