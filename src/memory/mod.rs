//! Memories of a model's layers: keys with values, found again by nearness.
//!
//! A [`Store`] is a list of slots. One implementation a file; whatever bounds, merges or writes out a
//! store is written against the trait.

mod bank;
mod brute_force;
#[cfg(feature = "cli")]
mod bench;
mod change;
#[cfg(feature = "cli")]
mod disk;
mod exact;
#[cfg(feature = "cli")]
mod near;
#[cfg(feature = "cli")]
mod postgres;
mod read;
mod recombine;
mod write;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Distance;

pub use bank::{Bank, Memory};
#[cfg(feature = "cli")]
pub use bench::{StoreBench, StoreRow};
pub use change::{ChangeError, change, matching};
#[cfg(feature = "cli")]
pub use disk::Disk;
pub use exact::{Exact, Patch, Stamps};
#[cfg(feature = "cli")]
pub use postgres::Postgres;
pub use read::Read;
pub use recombine::Pairs;
pub use write::{Tokens, Written};

/// Widths and distance that the slots of a store have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Numbers a key.
    pub d_key: usize,
    /// Numbers a value.
    pub d_value: usize,
    pub distance: Distance,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { d_key, d_value, distance } = self;
        write!(f, "keys of {d_key} numbers, values of {d_value} and {} distances", distance.name())
    }
}

/// A key and a value to be remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewSlot {
    /// `[d_key]`
    pub key: Vec<f32>,
    /// `[d_value]`
    pub value: Vec<f32>,
    pub origin: Origin,
}

/// The text that wrote a slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The characters up to the one that it was written at, at most [`ORIGIN_CHARS`] of them.
    pub text: String,
    /// The text that the task had follow that character; nothing if nothing was to follow.
    pub next: String,
    /// The step of the run, counted from 1; 0 if it was not written in training.
    pub step: u64,
    /// Place of the record in the step's batch.
    pub record: u32,
}

/// Most characters kept of what wrote a slot.
pub const ORIGIN_CHARS: usize = 64;

/// A slot as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// Not given twice, as long as the store lives.
    pub id: u64,
    #[serde(flatten)]
    pub new: NewSlot,
    /// Times that it was found.
    pub hits: u64,
    /// The step at which it was last found, or written.
    pub last: u64,
    /// Inserted slots that were merged into it, itself among them.
    pub merged: u32,
}

/// Slots found by `n` queries: as many for each, the nearest first. Equal distances are in the order
/// of their ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Slots a query: those asked for, or all there are.
    pub k: usize,
    /// `[n, k]`: Euclidean, or 1 less the cosine.
    pub distances: Vec<f32>,
    /// `[n, k]`
    pub ids: Vec<u64>,
    /// `[n, k, d_key]`
    pub keys: Vec<f32>,
    /// `[n, k, d_value]`
    pub values: Vec<f32>,
}

impl Found {
    /// Appends what other queries found among the same slots.
    pub fn append(&mut self, next: Self) {
        self.k = next.k;
        self.distances.extend(next.distances);
        self.ids.extend(next.ids);
        self.keys.extend(next.keys);
        self.values.extend(next.values);
    }
}

/// Slots that are found by how near their keys are to a query.
pub trait Store {
    fn shape(&self) -> Shape;

    /// Slots held.
    ///
    /// # Errors
    /// This and all below: if what holds the slots failed.
    fn count(&mut self) -> Result<usize, StoreError>;

    /// The `k` nearest slots of each query; fewer if there are fewer. A query that is not finite is infinitely
    /// far from all, and finds any.
    ///
    /// # Shapes
    /// `queries`: `[n, d_key]`
    ///
    /// # Errors
    /// [`StoreError::Width`] if they are not whole queries.
    fn query(&mut self, queries: &[f32], k: usize) -> Result<Found, StoreError>;

    /// Writes slots down, all of them or none, and tells their ids, which count up from 0, in order.
    ///
    /// # Errors
    /// [`StoreError::Width`] of a key or value of another shape, [`StoreError::NotFinite`].
    fn insert(&mut self, slots: &[NewSlot]) -> Result<Vec<u64>, StoreError>;

    /// Counts a hit for every time that an id occurs, at `step`; unknown ids are passed over.
    fn touch(&mut self, ids: &[u64], step: u64) -> Result<(), StoreError>;

    /// Drops slots until there are at most `most`, and tells which. Least frequently, recently used
    /// (LFRU, Bilal & Kang 2017): the half of `most` that was found most recently is spared; of the rest
    /// those go that were found least often, the longest unused first.
    fn evict(&mut self, limit: usize) -> Result<Vec<u64>, StoreError>;

    /// Drops these slots; how many of them there were.
    fn remove(&mut self, ids: &[u64]) -> Result<usize, StoreError>;

    /// Gives a slot another key or value.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such slot, [`StoreError::Width`], [`StoreError::NotFinite`].
    fn edit(
        &mut self,
        id: u64,
        key: Option<&[f32]>,
        value: Option<&[f32]>,
    ) -> Result<(), StoreError>;

    /// The slots of `ids` that there are, in that order.
    fn get(&mut self, ids: &[u64]) -> Result<Vec<Slot>, StoreError>;

    /// At most `most` slots with ids from `from` on, by id: what a store is walked through with.
    fn page(&mut self, from: u64, limit: usize) -> Result<Vec<Slot>, StoreError>;

    /// Puts a slot `[gone]` into another: keys and values become means, each counted as often as it was
    /// merged, and hits add up. Nothing happens unless both are there.
    fn merge(&mut self, kept: u64, gone: u64) -> Result<(), StoreError>;
}

/// Reason for which a store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("a {what} of {got} numbers was given to a memory whose {what}s have {takes}")]
    Width { what: &'static str, got: usize, takes: usize },
    #[error(
        "a slot with a value that is not a finite number was not taken; training has diverged: lower the Learning rate"
    )]
    NotFinite,
    #[error("there is no slot {0}; `confab memory ls` lists those there are")]
    Unknown(u64),
    #[error(
        "the memory `{space}` in {place} has {there}, not {asked}: name another memory, or a model of that shape"
    )]
    Shape { space: String, place: String, there: Shape, asked: Shape },
    /// The storage of the slots failed.
    #[error("{doing} {place}: {reason}; {remedy}")]
    Failed { doing: &'static str, place: String, reason: String, remedy: &'static str },
}

/// Every slot, a page at a time, by id.
///
/// # Errors
/// If what holds them failed.
pub fn all(store: &mut dyn Store) -> Result<Vec<Slot>, StoreError> {
    const PAGE: usize = 4096;
    let mut slots: Vec<Slot> = Vec::new();
    loop {
        let from = slots.last().map_or(0, |slot| slot.id + 1);
        let page = store.page(from, PAGE)?;
        if page.is_empty() {
            return Ok(slots);
        }
        slots.extend(page);
    }
}

impl Shape {
    /// # Errors
    /// If it is not one that a store of this shape takes.
    pub fn check(&self, slot: &NewSlot) -> Result<(), StoreError> {
        self.check_key(&slot.key)?;
        self.check_value(&slot.value)
    }

    fn check_key(&self, key: &[f32]) -> Result<(), StoreError> {
        check("key", key, self.d_key)
    }

    fn check_value(&self, value: &[f32]) -> Result<(), StoreError> {
        check("value", value, self.d_value)
    }

    /// The keys and values of an edit.
    ///
    /// # Errors
    /// As in [`check`](Self::check).
    pub fn check_edit(&self, key: Option<&[f32]>, value: Option<&[f32]>) -> Result<(), StoreError> {
        key.map_or(Ok(()), |key| self.check_key(key))?;
        value.map_or(Ok(()), |value| self.check_value(value))
    }

    /// Number of queries in `queries`.
    ///
    /// # Errors
    /// [`StoreError::Width`] if they are not whole ones.
    pub fn count(&self, queries: &[f32]) -> Result<usize, StoreError> {
        match queries.len() % self.d_key {
            0 => Ok(queries.len() / self.d_key),
            rest => Err(StoreError::Width { what: "query", got: rest, takes: self.d_key }),
        }
    }
}

fn check(what: &'static str, values: &[f32], takes: usize) -> Result<(), StoreError> {
    if values.len() != takes {
        return Err(StoreError::Width { what, got: values.len(), takes });
    }
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(StoreError::NotFinite),
    }
}

impl Distance {
    /// Distance of two keys: 0 if they are the same, or in the same direction. A vector of zeros has
    /// no direction, and is 1 from all.
    pub fn between(self, a: &[f32], b: &[f32]) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let distance = match self {
            Self::L2 => a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt(),
            Self::Cosine => match (dot(a, a) * dot(b, b)).sqrt() {
                0.0 => 1.0,
                sizes => 1.0 - dot(a, b) / sizes,
            },
        };
        if distance.is_nan() { f32::INFINITY } else { distance.max(0.0) }
    }
}

/// The mean of two, weighted.
pub(crate) fn mean(a: &[f32], b: &[f32], [by_a, by_b]: [u32; 2]) -> Vec<f32> {
    let (by_a, by_b) = (by_a as f32, by_b as f32);
    a.iter().zip(b).map(|(a, b)| (a * by_a + b * by_b) / (by_a + by_b)).collect()
}
