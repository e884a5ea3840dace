//! Floors added up character by character, and the predictor that reaches them.

use super::{FieldFloor, Floor};
use crate::task::prefixes::Prefixes;
use crate::task::{Field, Record, Task};

impl Floor {
    /// Of records drawn evenly from `records`, every one learnt by heart: ln(their number) in
    /// all, spent where their beginnings part.
    /// `prefixes` are those of `records`.
    pub(in crate::task) fn of_records(records: &[Record], prefixes: &Prefixes) -> Self {
        let mut sums = Sums::default();
        let weight = 1.0 / records.len().max(1) as f64;
        for record in records {
            let costs = prefixes.narrowing(&record.text).into_iter().map(surprise);
            for (field, nats) in record.fields.iter().zip(costs).skip(1) {
                sums.add(*field, weight, weight * nats);
            }
        }
        Self { by_heart: true, ..sums.floor() }
    }
}

/// What it costs to learn that of `before` equally likely ones, these `after` remain.
fn surprise((before, after): (usize, usize)) -> f64 {
    (before as f64 / after.max(1) as f64).ln()
}

/// Characters and nats by field, as they are added up.
#[derive(Default)]
pub(in crate::task) struct Sums {
    fields: Vec<FieldFloor>,
}

impl Sums {
    pub(in crate::task) fn add(&mut self, field: Field, chars: f64, nats: f64) {
        match self.fields.iter_mut().find(|part| part.field == field) {
            Some(part) => {
                part.chars += chars;
                part.nats += nats;
            }
            None => self.fields.push(FieldFloor { field, chars, nats }),
        }
    }

    pub(in crate::task) fn floor(mut self) -> Floor {
        self.fields.sort_by_key(|part| part.field);
        let chars = self.fields.iter().map(|part| part.chars).sum();
        let total_nats: f64 = self.fields.iter().map(|part| part.nats).sum();
        Floor {
            nats_per_char: total_nats / chars,
            total_nats,
            chars,
            by_heart: false,
            fields: self.fields,
        }
    }
}

/// The best of predictors, reading a text character by character.
#[derive(Clone, Copy, Debug)]
pub struct Oracle {
    /// Whether the task could have written what was read.
    is_possible: bool,
}

impl Oracle {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self { is_possible: true }
    }

    /// What `character` costs after `prefix`, all that was read before it, in nats: −ln of its
    /// probability. `None` from the first character on that `task` never writes there, and for a
    /// task whose generator is not known.
    pub fn read(&mut self, task: &Task, prefix: &str, character: char) -> Option<f64> {
        let next = if self.is_possible { task.next(prefix) } else { Vec::new() };
        let found = next.into_iter().find(|(other, _)| *other == character);
        self.is_possible = found.is_some();
        found.map(|(_, probability)| probability.recip().ln())
    }

    /// What each character of `text`, the first that is read, costs.
    pub fn read_all(&mut self, task: &Task, text: &str) -> Vec<Option<f64>> {
        text.char_indices().map(|(at, c)| self.read(task, &text[..at], c)).collect()
    }
}

impl Default for Oracle {
    fn default() -> Self {
        Self::new()
    }
}

/// What each character of `text` would cost the best of predictors: see [`Oracle::read`].
pub fn surprisals(task: &Task, text: &str) -> Vec<Option<f64>> {
    Oracle::new().read_all(task, text)
}
