//! Changes that a step leaves in a store: hits, trained values, merged and new slots.

use std::collections::BTreeMap;

use super::{Exact, Found, NewSlot, ORIGIN_CHARS, Origin, Pairs, Read, Shape, Store, StoreError};
use crate::config::MemoryConfig;

/// The tokens of a step, row by row.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// The step, counted from 1.
    pub step: u64,
    /// True if they are no record of the run's.
    pub is_taught: bool,
    /// Tokens a row.
    pub seq: usize,
    /// Each token's text.
    pub read: Vec<String>,
    /// The text that is to follow each; `None` where nothing is predicted, and nothing is written down.
    pub next: Vec<Option<String>>,
}

/// Slots that a step added, merged and dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub inserted: usize,
    pub merged: usize,
    pub evicted: usize,
}

impl Tokens {
    fn origin(&self, at: usize) -> Origin {
        let row = at / self.seq;
        let mut text: String = self.read[row * self.seq..=at].concat();
        if let Some((cut, _)) = text.char_indices().rev().nth(ORIGIN_CHARS - 1) {
            text.drain(..cut);
        }
        let next = self.next[at].clone().unwrap_or_default();
        let step = if self.is_taught { 0 } else { self.step };
        Origin { text, next, step, record: row as u32 }
    }
}

/// Counts hits, moves values, merges what comes back together, and writes down what is new. It comes
/// after the step, so that no token reads what its own batch wrote.
pub(super) fn learn(
    store: &mut Exact,
    pairs: &mut Pairs,
    config: &MemoryConfig,
    tokens: &Tokens,
    found: &Found,
    read: &Read,
) -> Result<Written, StoreError> {
    let counted = |at: &usize| tokens.next[*at].is_some();
    if let Some((gradient, rate)) = &read.gradient {
        train(store, found, gradient, *rate)?;
    }
    if found.k > 0 {
        let nearest = |at: usize| found.ids[at * found.k];
        let hits: Vec<u64> = (0..tokens.next.len()).filter(counted).map(nearest).collect();
        store.touch(&hits, tokens.step)?;
    }
    let merged = match config.merge_after as u32 {
        0 => 0,
        limit => pairs.recombine(store, found, limit)?,
    };
    let slots = novel(store.shape(), config, tokens, found, read);
    let new = store.insert(&slots)?;
    if tokens.is_taught {
        // Told by the step 0 as not from training, they would be the first to go.
        store.touch(&new, tokens.step)?;
    }
    let evicted = store.evict(config.slots)?.len();
    Ok(Written { inserted: slots.len(), merged, evicted })
}

/// Moves every value that was found against its gradient, by `rate` in root mean square: AdamW's step but for
/// its memory. With sums of squares instead (Adagrad), slots moved too little while weights still did.
fn train(store: &mut Exact, found: &Found, gradient: &[f32], rate: f32) -> Result<(), StoreError> {
    let width = store.shape().d_value;
    let mut sums: BTreeMap<u64, Vec<f32>> = BTreeMap::new();
    for (id, gradient) in found.ids.iter().zip(gradient.chunks(width)) {
        let sum = sums.entry(*id).or_insert_with(|| vec![0.0; width]);
        sum.iter_mut().zip(gradient).for_each(|(sum, gradient)| *sum += gradient);
    }
    for (id, sum) in sums {
        let size = (sum.iter().map(|x| x * x).sum::<f32>() / width as f32).sqrt();
        let Some(place) = store.place(id).filter(|_| size > 0.0) else { continue };
        let value = &store.values()[place * width..][..width];
        let moved: Vec<f32> =
            value.iter().zip(&sum).map(|(value, by)| value - rate * by / size).collect();
        store.edit(id, None, Some(&moved))?;
    }
    Ok(())
}

/// New slots for the tokens of each row that are farthest from all slots, if they are far enough from those and
/// from each other.
fn novel(
    shape: Shape,
    config: &MemoryConfig,
    tokens: &Tokens,
    found: &Found,
    read: &Read,
) -> Vec<NewSlot> {
    let threshold = config.write_threshold as f32;
    let distance = |at: usize| match found.k {
        0 => f32::INFINITY,
        k => found.distances[at * k],
    };
    let mut slots: Vec<NewSlot> = Vec::new();
    for start in (0..tokens.next.len()).step_by(tokens.seq.max(1)) {
        let row = start..(start + tokens.seq).min(tokens.next.len());
        let is_novel = |at: &usize| tokens.next[*at].is_some() && distance(*at) > threshold;
        let mut far: Vec<usize> = row.filter(is_novel).collect();
        far.sort_by(|a, b| distance(*b).total_cmp(&distance(*a)));
        let before = slots.len();
        for at in far {
            if slots.len() - before == config.max_writes {
                break;
            }
            let new = read.slot(at, shape, Origin::default());
            let is_near = |slot: &NewSlot| shape.distance.between(&slot.key, &new.key) <= threshold;
            if !slots.iter().any(is_near) {
                slots.push(NewSlot { origin: tokens.origin(at), ..new });
            }
        }
    }
    slots
}
