//! Records `input=output` and a line end. The input is given; a model predicts the output and the line end.

use super::floor::Sums;
use crate::run::{Field, Floor, Found, Record};

/// The character between input and output.
pub const EQUALS: char = '=';
pub const END: char = '\n';

/// The record that maps `input` to `output`.
pub fn record(input: &str, output: &str) -> Record {
    let mut record = Record::new();
    record.push(Field::Question, input);
    record.push(Field::Separator, &EQUALS.to_string());
    record.given = record.len();
    record.push(Field::Answer, output);
    record.push(Field::Marker, &END.to_string());
    record
}

/// Floor of outputs of `chars` characters, which cost `nats`, both expected in one record. An output tells where it ends,
/// so the line end costs nothing.
pub fn floor(chars: f64, nats: f64, found: Found) -> Floor {
    let mut sums = Sums::default();
    sums.add(Field::Answer, chars, nats);
    sums.add(Field::Marker, 1.0, 0.0);
    Floor { found, ..sums.floor() }
}

/// True if `text` has come to its line end, or to the length of the longest record where what is written is none.
pub fn is_at_end(text: &str, longest: usize) -> bool {
    text.ends_with(END) || text.chars().count() >= longest
}
