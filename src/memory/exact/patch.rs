//! Changes that bring a copy of a store up to date: slots alone, without their origins and hits.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Exact, Facts, square};
use crate::memory::{Bank, Memory, NewSlot, Origin, Slot, StoreError};

/// Slots of a store that a copy of it lacks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Patch {
    /// Slots in all.
    len: usize,
    /// Places whose slot changed, in their order, with its id, key and value.
    slots: Vec<(usize, u64, Vec<f32>, Vec<f32>)>,
}

impl Exact {
    /// Changes since `old`, a store of the same shape.
    fn changes_since(&self, old: &Self) -> Patch {
        let is_new = |place: &usize| {
            old.facts.get(*place).map(|facts| facts.id) != Some(self.facts[*place].id)
                || old.key(*place) != self.key(*place)
                || old.value(*place) != self.value(*place)
        };
        let slot = |place: usize| {
            let (key, value) = (self.key(place).to_vec(), self.value(place).to_vec());
            (place, self.facts[place].id, key, value)
        };
        let len = self.facts.len();
        Patch { len, slots: (0..len).filter(is_new).map(slot).collect() }
    }

    fn apply(&mut self, patch: Patch) -> Result<(), StoreError> {
        let (d_key, d_value) = (self.shape.d_key, self.shape.d_value);
        self.facts.truncate(patch.len);
        self.keys.truncate(patch.len * d_key);
        self.values.truncate(patch.len * d_value);
        self.squares.truncate(patch.len);
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
        }
        self.places = self.facts.iter().enumerate().map(|(place, facts)| (facts.id, place)).collect();
        Ok(())
    }
}

impl Bank {
    /// Changes of its layers since `old`, the bank of the same model.
    pub fn changes_since(&self, old: &Self) -> Vec<(usize, Patch)> {
        let changed = |(layer, Memory { store, .. }): (usize, &Memory)| {
            let before = &old.layer(layer)?.store;
            (!Arc::ptr_eq(before, store)).then(|| (layer, store.changes_since(before)))
        };
        self.memories().filter_map(changed).collect()
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
