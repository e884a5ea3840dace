//! Floors, added up character by character.

use super::prefixes::Prefixes;
use crate::run::{Field, FieldFloor, Floor, Found, Record};

impl Floor {
    /// The floor of records drawn evenly from `records`, every one learnt by heart: ln(their number) in
    /// all, spent where their beginnings part. `prefixes` are those of `records`.
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

/// Cost of learning that of `before` equally likely records, `after` remain.
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
            found: Found::Exactly,
        }
    }
}
