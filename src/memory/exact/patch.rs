//! Changes that bring a copy of a store up to date: slots alone, without their origins and hits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Exact, Facts, square, stamp};
use crate::memory::{Bank, Memory, NewSlot, Origin, Slot, StoreError};

/// Slots of a store that a copy of it lacks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Patch {
    /// Slots in all.
    len: usize,
    /// Places whose slot changed, in their order, with its id, key and value.
    slots: Vec<(usize, u64, Vec<f32>, Vec<f32>)>,
}

/// State of a copy of a store: when each of its slots was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps(Vec<u64>);

#[cfg(feature = "cli")]
impl Patch {
    /// True if it goes with a store of `held` slots: it has every slot that such a store lacks, and those alone.
    fn goes_with(&self, held: usize) -> bool {
        let places = || self.slots.iter().map(|(place, ..)| *place);
        let added = places().filter(|place| *place >= held).count();
        places().is_sorted_by(|a, b| a < b)
            && places().all(|place| place < self.len)
            && added == self.len.saturating_sub(held)
            && self.slots.iter().all(|(_, id, ..)| *id < super::MAX_ID)
    }
}

impl Exact {
    pub fn stamps(&self) -> Stamps {
        Stamps(self.stamps.clone())
    }

    /// Places whose slot a copy in the state `old` lacks, in their order.
    pub fn changed_since(&self, old: &Stamps) -> Vec<usize> {
        let Stamps(old) = old;
        let places = 0..self.stamps.len();
        places.filter(|place| old.get(*place) != Some(&self.stamps[*place])).collect()
    }

    /// Changes since a copy was in the state `old`; `None` if there are none.
    fn changes_since(&self, old: &Stamps) -> Option<Patch> {
        let slot = |place: usize| {
            let (key, value) = (self.key(place).to_vec(), self.value(place).to_vec());
            (place, self.facts[place].id, key, value)
        };
        let slots: Vec<_> = self.changed_since(old).into_iter().map(slot).collect();
        let len = self.facts.len();
        (!slots.is_empty() || len != old.0.len()).then_some(Patch { len, slots })
    }

    fn apply(&mut self, patch: Patch) -> Result<(), StoreError> {
        let (d_key, d_value) = (self.shape.d_key, self.shape.d_value);
        self.facts.truncate(patch.len);
        self.keys.truncate(patch.len * d_key);
        self.values.truncate(patch.len * d_value);
        self.squares.truncate(patch.len);
        self.stamps.truncate(patch.len);
        for (place, id, key, value) in patch.slots {
            let new = NewSlot { key, value, origin: Origin::default() };
            self.shape.check(&new)?;
            if place >= self.facts.len() {
                self.push(Slot { id, new, hits: 0, last: 0, merged: 1 });
                continue;
            }
            self.facts[place] = Facts { id, ..self.facts[place].clone() };
            self.squares[place] = square(&new.key);
            self.keys[place * d_key..][..d_key].copy_from_slice(&new.key);
            self.values[place * d_value..][..d_value].copy_from_slice(&new.value);
            self.stamps[place] = stamp();
        }
        self.places = self.facts.iter().enumerate().map(|(place, facts)| (facts.id, place)).collect();
        Ok(())
    }
}

impl Bank {
    /// State of a copy of the store of every layer that has one, and of the output.
    pub fn stamps(&self) -> BTreeMap<usize, Stamps> {
        self.memories().map(|(layer, memory)| (layer, memory.store.stamps())).collect()
    }

    /// Changes of its layers since a copy was in the state `old`; a layer that is not in it was empty.
    pub fn changes_since(&self, old: &BTreeMap<usize, Stamps>) -> Vec<(usize, Patch)> {
        let nothing = Stamps::default();
        let changed = |(layer, memory): (usize, &Memory)| {
            let patch = memory.store.changes_since(old.get(&layer).unwrap_or(&nothing))?;
            Some((layer, patch))
        };
        self.memories().filter_map(changed).collect()
    }

    /// True if these changes, which may be anybody's, go with what it holds; their keys and values are checked as they are
    /// [applied](Self::apply).
    #[cfg(feature = "cli")]
    pub fn takes(&self, changes: &[(usize, Patch)]) -> bool {
        let goes = |(layer, patch): &(usize, Patch)| {
            self.layer(*layer).is_some_and(|memory| patch.goes_with(memory.store.ids().len()))
        };
        changes.iter().all(goes) && changes.is_sorted_by(|(a, _), (b, _)| a < b)
    }

    /// Brings this copy up to date.
    ///
    /// # Errors
    /// If a slot is not of its store's shape, or not finite.
    pub fn apply(&mut self, changes: Vec<(usize, Patch)>) -> Result<(), StoreError> {
        for (layer, patch) in changes {
            if let Some(store) = self.store(layer) {
                store.apply(patch)?;
            }
        }
        Ok(())
    }
}
