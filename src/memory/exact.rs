//! Slots in memory, searched one and all.

mod patch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::brute_force;
use super::{Found, NewSlot, Origin, Shape, Slot, Store, StoreError, mean};

pub use patch::{Patch, Stamps};

/// A store whose every answer is exact.
#[derive(Clone, Debug)]
pub struct Exact {
    shape: Shape,
    /// `[len, d_key]`
    keys: Vec<f32>,
    /// `[len, d_value]`
    values: Vec<f32>,
    /// Squares of the keys' lengths: `[len]`.
    squares: Vec<f32>,
    facts: Vec<Facts>,
    /// When each key and value was written, which no two writings share: `[len]`.
    stamps: Vec<u64>,
    /// Where each id lies.
    places: HashMap<u64, usize>,
    next_id: u64,
}

/// A slot but for its key and value.
#[derive(Clone, Debug, PartialEq)]
struct Facts {
    id: u64,
    origin: Origin,
    hits: u64,
    last: u64,
    merged: u32,
}

/// Ids are below this, which every reader of JSON keeps.
const MAX_ID: u64 = 1 << 53;

impl Exact {
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            keys: Vec::new(),
            values: Vec::new(),
            squares: Vec::new(),
            facts: Vec::new(),
            stamps: Vec::new(),
            places: HashMap::new(),
            next_id: 0,
        }
    }

    /// A store of these slots, which keep their ids; later ones get those from `next_id` on.
    ///
    /// # Errors
    /// If one is of another shape, or not finite.
    pub fn of_slots(shape: Shape, slots: Vec<Slot>, next_id: u64) -> Result<Self, StoreError> {
        let mut store = Self { next_id: next_id.min(MAX_ID), ..Self::new(shape) };
        for slot in slots {
            shape.check(&slot.new)?;
            if slot.id < MAX_ID && !store.places.contains_key(&slot.id) {
                store.push(slot);
            }
        }
        Ok(store)
    }

    /// The id of the next slot.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// `[len, d_key]`
    pub fn keys(&self) -> &[f32] {
        &self.keys
    }

    /// `[len, d_value]`
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// In the order of [`keys`](Self::keys).
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        (0..self.facts.len()).map(|place| self.slot(place))
    }

    /// In the order of [`keys`](Self::keys).
    pub fn ids(&self) -> impl ExactSizeIterator<Item = u64> {
        self.facts.iter().map(|facts| facts.id)
    }

    /// The slot with this id.
    pub fn find(&self, id: u64) -> Option<Slot> {
        self.place(id).map(|place| self.slot(place))
    }

    /// Where a slot lies among [`keys`](Self::keys).
    pub fn place(&self, id: u64) -> Option<usize> {
        self.places.get(&id).copied()
    }

    pub(super) fn push(&mut self, slot: Slot) {
        let Slot { id, new: NewSlot { key, value, origin }, hits, last, merged } = slot;
        self.places.insert(id, self.facts.len());
        self.squares.push(square(&key));
        self.keys.extend(key);
        self.values.extend(value);
        self.facts.push(Facts { id, origin, hits, last, merged });
        self.stamps.push(stamp());
        self.next_id = self.next_id.max(id + 1);
    }

    fn key(&self, place: usize) -> &[f32] {
        &self.keys[place * self.shape.d_key..][..self.shape.d_key]
    }

    fn value(&self, place: usize) -> &[f32] {
        &self.values[place * self.shape.d_value..][..self.shape.d_value]
    }

    /// Key and value of a slot side by side.
    pub fn row(&self, place: usize) -> impl Iterator<Item = f32> {
        self.key(place).iter().chain(self.value(place)).copied()
    }

    fn slot(&self, place: usize) -> Slot {
        let Facts { id, origin, hits, last, merged } = self.facts[place].clone();
        let (key, value) = (self.key(place).to_vec(), self.value(place).to_vec());
        Slot { id, new: NewSlot { key, value, origin }, hits, last, merged }
    }

    /// The last slot takes the place of the one that goes.
    pub(super) fn drop_slot(&mut self, id: u64) -> bool {
        let Some(place) = self.places.remove(&id) else { return false };
        self.facts.swap_remove(place);
        self.squares.swap_remove(place);
        self.stamps.swap_remove(place);
        swap_remove(&mut self.keys, place, self.shape.d_key);
        swap_remove(&mut self.values, place, self.shape.d_value);
        if let Some(moved) = self.facts.get(place) {
            self.places.insert(moved.id, place);
        }
        true
    }
}

impl PartialEq for Exact {
    /// True if both hold the same slots in the same places, whenever those were written.
    fn eq(&self, other: &Self) -> bool {
        let Self { shape, keys, values, facts, next_id, .. } = self;
        (shape, keys, values, facts, next_id)
            == (&other.shape, &other.keys, &other.values, &other.facts, &other.next_id)
    }
}

/// A number that was not given before.
fn stamp() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn square(key: &[f32]) -> f32 {
    key.iter().map(|x| x * x).sum()
}

fn swap_remove(rows: &mut Vec<f32>, place: usize, width: usize) {
    let last = rows.len() - width;
    rows.copy_within(last.., place * width);
    rows.truncate(last);
}

impl Store for Exact {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn count(&mut self) -> Result<usize, StoreError> {
        Ok(self.facts.len())
    }

    fn query(&mut self, queries: &[f32], k: usize) -> Result<Found, StoreError> {
        self.search(queries, k)
    }

    fn insert(&mut self, slots: &[NewSlot]) -> Result<Vec<u64>, StoreError> {
        slots.iter().try_for_each(|slot| self.shape.check(slot))?;
        let first = self.next_id;
        for new in slots {
            let last = new.origin.step;
            self.push(Slot { id: self.next_id, new: new.clone(), hits: 0, last, merged: 1 });
        }
        Ok((first..self.next_id).collect())
    }

    fn touch(&mut self, ids: &[u64], step: u64) -> Result<(), StoreError> {
        for place in ids.iter().filter_map(|id| self.places.get(id)) {
            let facts = &mut self.facts[*place];
            facts.hits += 1;
            facts.last = facts.last.max(step);
        }
        Ok(())
    }

    fn evict(&mut self, limit: usize) -> Result<Vec<u64>, StoreError> {
        let over = self.facts.len().saturating_sub(limit);
        if over == 0 {
            return Ok(Vec::new());
        }
        let mut order: Vec<&Facts> = self.facts.iter().collect();
        order.sort_by_key(|facts| (facts.last, facts.id));
        order.truncate(order.len() - limit / 2);
        order.sort_by_key(|facts| (facts.hits, facts.last, facts.id));
        let gone: Vec<u64> = order.iter().take(over).map(|facts| facts.id).collect();
        self.remove(&gone)?;
        Ok(gone)
    }

    fn remove(&mut self, ids: &[u64]) -> Result<usize, StoreError> {
        Ok(ids.iter().filter(|id| self.drop_slot(**id)).count())
    }

    fn edit(
        &mut self,
        id: u64,
        key: Option<&[f32]>,
        value: Option<&[f32]>,
    ) -> Result<(), StoreError> {
        self.shape.check_edit(key, value)?;
        let place = self.place(id).ok_or(StoreError::Unknown(id))?;
        let Shape { d_key, d_value, .. } = self.shape;
        if let Some(key) = key {
            self.keys[place * d_key..][..d_key].copy_from_slice(key);
            self.squares[place] = square(key);
        }
        if let Some(value) = value {
            self.values[place * d_value..][..d_value].copy_from_slice(value);
        }
        self.stamps[place] = stamp();
        Ok(())
    }

    fn get(&mut self, ids: &[u64]) -> Result<Vec<Slot>, StoreError> {
        let places = ids.iter().filter_map(|id| self.place(*id));
        Ok(places.map(|place| self.slot(place)).collect())
    }

    fn page(&mut self, from: u64, limit: usize) -> Result<Vec<Slot>, StoreError> {
        let mut ids: Vec<u64> = self.ids().filter(|id| *id >= from).collect();
        ids.sort_unstable();
        ids.truncate(limit);
        self.get(&ids)
    }

    fn merge(&mut self, kept: u64, gone: u64) -> Result<(), StoreError> {
        let [Some(to), Some(from)] = [self.place(kept), self.place(gone)] else { return Ok(()) };
        if to == from {
            return Ok(());
        }
        let (merged, last) = (self.facts[from].merged, self.facts[from].last);
        let by = [self.facts[to].merged, merged];
        let key = mean(self.key(to), self.key(from), by);
        let value = mean(self.value(to), self.value(from), by);
        self.edit(kept, Some(&key), Some(&value))?;
        let hits = self.facts[from].hits;
        let facts = &mut self.facts[to];
        (facts.hits, facts.last) = (facts.hits + hits, facts.last.max(last));
        facts.merged = facts.merged.saturating_add(merged);
        self.drop_slot(gone);
        Ok(())
    }
}

impl Exact {
    /// As [`Store::query`], which needs no change to the store.
    ///
    /// # Errors
    /// As there.
    pub fn search(&self, queries: &[f32], k: usize) -> Result<Found, StoreError> {
        self.shape.count(queries)?;
        let k = k.min(self.facts.len());
        if k == 0 {
            return Ok(Found::default());
        }
        let Self { shape, keys, squares, .. } = self;
        let id = |index: usize| self.facts[index].id;
        let mut found = Found { k, ..Found::default() };
        for (distance, index) in brute_force::nearest(*shape, keys, squares, queries, k, &id) {
            found.distances.push(distance);
            found.ids.push(id(index));
            found.keys.extend(self.key(index));
            found.values.extend(self.value(index));
        }
        Ok(found)
    }
}
