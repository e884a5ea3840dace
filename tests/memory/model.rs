//! Model of a store, written plainly.

use confab::config::Distance;
use confab::memory::{Found, NewSlot, Origin, Shape, Slot};

pub struct Model {
    shape: Shape,
    pub slots: Vec<Kept>,
    next_id: u64,
}

#[derive(Clone, Debug)]
pub struct Kept {
    id: u64,
    key: Vec<f64>,
    value: Vec<f64>,
    origin: Origin,
    hits: u64,
    last: u64,
    merged: u32,
}

/// Largest difference that roundings to 32 bits may make.
const CLOSE: f64 = 1e-4;

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|x| f64::from(*x)).collect()
}

fn close(a: &[f64], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - f64::from(*b)).abs() < CLOSE)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Model {
    pub fn new(shape: Shape) -> Self {
        Self { shape, slots: Vec::new(), next_id: 0 }
    }

    pub fn insert(&mut self, slots: &[NewSlot]) -> Vec<u64> {
        let first = self.next_id;
        for NewSlot { key, value, origin } in slots {
            self.slots.push(Kept {
                id: self.next_id,
                key: wide(key),
                value: wide(value),
                origin: origin.clone(),
                hits: 0,
                last: origin.step,
                merged: 1,
            });
            self.next_id += 1;
        }
        (first..self.next_id).collect()
    }

    pub fn touch(&mut self, ids: &[u64], step: u64) {
        for id in ids {
            if let Some(slot) = self.find(*id) {
                slot.hits += 1;
                slot.last = slot.last.max(step);
            }
        }
    }

    pub fn evict(&mut self, most: usize) -> Vec<u64> {
        let over = self.slots.len().saturating_sub(most);
        if over == 0 {
            return Vec::new();
        }
        let mut order = self.slots.clone();
        order.sort_by_key(|slot| (slot.last, slot.id));
        order.truncate(self.slots.len() - most / 2);
        order.sort_by_key(|slot| (slot.hits, slot.last, slot.id));
        let gone: Vec<u64> = order[..over].iter().map(|slot| slot.id).collect();
        self.remove(&gone);
        gone
    }

    pub fn remove(&mut self, ids: &[u64]) -> usize {
        let before = self.slots.len();
        self.slots.retain(|slot| !ids.contains(&slot.id));
        before - self.slots.len()
    }

    /// Changes the key and the value of a slot; false if there is no such slot.
    pub fn edit(&mut self, id: u64, key: Option<&[f32]>, value: Option<&[f32]>) -> bool {
        let Some(slot) = self.find(id) else { return false };
        if let Some(key) = key {
            slot.key = wide(key);
        }
        if let Some(value) = value {
            slot.value = wide(value);
        }
        true
    }

    pub fn merge(&mut self, kept: u64, gone: u64) {
        let (Some(to), Some(from)) = (self.find(kept).cloned(), self.find(gone).cloned()) else {
            return;
        };
        if kept == gone {
            return;
        }
        let mean = |a: &[f64], b: &[f64]| {
            let (by_a, by_b) = (f64::from(to.merged), f64::from(from.merged));
            a.iter().zip(b).map(|(a, b)| (a * by_a + b * by_b) / (by_a + by_b)).collect()
        };
        let (key, value) = (mean(&to.key, &from.key), mean(&to.value, &from.value));
        let (hits, last) = (to.hits + from.hits, to.last.max(from.last));
        let merged = to.merged + from.merged;
        *self.find(kept).unwrap() = Kept { key, value, hits, last, merged, ..to };
        self.remove(&[gone]);
    }

    fn find(&mut self, id: u64) -> Option<&mut Kept> {
        self.slots.iter_mut().find(|slot| slot.id == id)
    }

    fn distance(&self, query: &[f64], key: &[f64]) -> f64 {
        match self.shape.distance {
            Distance::L2 => query.iter().zip(key).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
            Distance::Cosine => match (dot(query, query) * dot(key, key)).sqrt() {
                0.0 => 1.0,
                sizes => 1.0 - dot(query, key) / sizes,
            },
        }
    }

    /// Checks that the slots found are the nearest, in order, with right distances. The last one may be any of those
    /// that are equally far away.
    pub fn check(&self, queries: &[f32], k: usize, found: &Found) -> Result<(), String> {
        let Shape { d_key, d_value, .. } = self.shape;
        let k = k.min(self.slots.len());
        if k == 0 {
            return if found.ids.is_empty() { Ok(()) } else { Err("found in nothing".into()) };
        }
        if (found.k, found.ids.len()) != (k, queries.len() / d_key * k) {
            return Err(format!("{} of {} slots found, not {k} a query", found.k, found.ids.len()));
        }
        for (n, query) in queries.chunks(d_key).map(wide).enumerate() {
            let mut distances: Vec<f64> =
                self.slots.iter().map(|slot| self.distance(&query, &slot.key)).collect();
            distances.sort_by(f64::total_cmp);
            let places = n * k..(n + 1) * k;
            let (ids, told) = (&found.ids[places.clone()], &found.distances[places.clone()]);
            for (place, expected) in places.clone().zip(&distances) {
                let (id, told) = (found.ids[place], f64::from(found.distances[place]));
                let slot = self.slots.iter().find(|slot| slot.id == id);
                let slot = slot.ok_or(format!("slot {id} was found, which is not there"))?;
                let real = self.distance(&query, &slot.key);
                if (real - expected).abs() > CLOSE || (told - real).abs() > CLOSE {
                    return Err(format!(
                        "slot {id} at {real}, told {told}, should be at {expected}"
                    ));
                }
                if !close(&slot.key, &found.keys[place * d_key..][..d_key])
                    || !close(&slot.value, &found.values[place * d_value..][..d_value])
                {
                    return Err(format!("slot {id} was found with another key or value"));
                }
            }
            let order = |i: &usize| (told[*i], ids[*i]) < (told[i + 1], ids[i + 1]);
            if !(0..k - 1).all(|i| order(&i)) {
                return Err(format!("not in order: {ids:?} at {told:?}"));
            }
        }
        Ok(())
    }

    pub fn check_all(&self, all: &[Slot]) -> Result<(), String> {
        let mut slots = self.slots.clone();
        slots.sort_by_key(|slot| slot.id);
        let same = |a: &Kept, b: &Slot| {
            (a.id, a.hits, a.last, a.merged) == (b.id, b.hits, b.last, b.merged)
                && a.origin == b.new.origin
                && close(&a.key, &b.new.key)
                && close(&a.value, &b.new.value)
        };
        match slots.len() == all.len() && slots.iter().zip(all).all(|(a, b)| same(a, b)) {
            true => Ok(()),
            false => Err(format!("{slots:#?}\nare not\n{all:#?}")),
        }
    }
}
