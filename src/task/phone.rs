//! The phone book: names and numbers are listed, then one line is repeated. Recalling its number
//! takes a look back at the list; nothing else in the record tells it.

use std::fmt::Write;

use rand_chacha::ChaCha8Rng;

use super::split::{below, stable_hash};
use super::{Field, RecallRule, Record, Split};
use crate::config::PhoneConfig;

/// The characters of every record.
pub const ALPHABET: &str = "\n -0123456789:=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz{}";

const NAMES: &str = include_str!("data/names.txt");
const MAX_LINES: usize = 5;
/// One list in this many is held out for validation.
const HELD_OUT: u64 = 16;
/// More redraws than are ever needed: that all of them miss a split has a chance below 10^-280.
const MAX_DRAWS: usize = 10_000;

/// `{B}`, lines `First Last: NNN-NNN-NNNN`, `=========`, one of the lines again, `{E}`.
#[derive(Clone, Debug)]
pub struct Phone {
    lines: usize,
    names: Vec<&'static str>,
    recall: RecallRule,
}

/// A line of the book.
#[derive(Clone, Debug)]
struct Entry {
    name: [&'static str; 2],
    number: Number,
}

/// The ten digits of a telephone number, each 0 to 9.
type Number = [u8; 10];

impl Phone {
    /// Options outside their range are taken as the nearest that is in it.
    pub fn new(config: &PhoneConfig) -> Self {
        let names: Vec<_> = NAMES.lines().take(config.names.max(2)).collect();
        Self { lines: config.lines.clamp(1, MAX_LINES), names, recall: config.recall }
    }

    /// Draws a record. Which split it is in hangs on its list alone, so that no list of training
    /// comes back in validation with another line recalled.
    pub fn draw(&self, split: Split, rng: &mut ChaCha8Rng) -> Record {
        let mut list = self.list(rng);
        for _ in 0..MAX_DRAWS {
            if split_of(&list) == split {
                break;
            }
            list = self.list(rng);
        }
        let mut recalled = list[below(rng, list.len())].clone();
        if self.recall == RecallRule::AsPublished {
            recalled.number = draw_number(rng);
        }
        record(&list, &recalled)
    }

    /// Length of the longest record, in characters.
    pub fn longest(&self) -> usize {
        let name = self.names.iter().max_by_key(|name| name.len()).copied().unwrap_or("");
        let entry = Entry { name: [name; 2], number: [0; 10] };
        record(&vec![entry.clone(); self.lines], &entry).len()
    }

    fn list(&self, rng: &mut ChaCha8Rng) -> Vec<Entry> {
        (0..self.lines)
            .map(|_| {
                let name = [0, 1].map(|_| self.names[below(rng, self.names.len())]);
                Entry { name, number: draw_number(rng) }
            })
            .collect()
    }
}

fn split_of(list: &[Entry]) -> Split {
    let mut text = String::new();
    for Entry { name: [first, last], number } in list {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{first} {last} {number:?}");
    }
    if stable_hash(&text).is_multiple_of(HELD_OUT) { Split::Validation } else { Split::Train }
}

/// Draws a number by the rules of the published generator: the area code does not begin with 0;
/// the exchange has no 9 and is not 000; the last four digits are not all the same.
fn draw_number(rng: &mut ChaCha8Rng) -> Number {
    let mut number = [0; 10];
    for place in 0..10 {
        number[place] = match place {
            0 => 1 + below(rng, 9) as u8,
            3 | 4 => below(rng, 9) as u8,
            5 if number[3..5] == [0, 0] => 1 + below(rng, 8) as u8,
            5 => below(rng, 9) as u8,
            9 if number[6] == number[7] && number[7] == number[8] => {
                let digit = below(rng, 9) as u8;
                digit + u8::from(digit >= number[6])
            }
            _ => below(rng, 10) as u8,
        };
    }
    number
}

fn record(list: &[Entry], recalled: &Entry) -> Record {
    let mut record = Record::new();
    record.push(Field::Marker, "{B}\n");
    for entry in list {
        push_line(&mut record, entry, Field::Name, Field::Digit);
    }
    record.push(Field::Separator, "=========\n");
    push_line(&mut record, recalled, Field::Answer, Field::Answer);
    record.push(Field::Marker, "{E}\n");
    record
}

fn push_line(record: &mut Record, entry: &Entry, name: Field, digit: Field) {
    let [first, last] = entry.name;
    record.push(name, first);
    record.push(Field::Separator, " ");
    record.push(name, last);
    record.push(Field::Separator, ": ");
    for (place, value) in entry.number.iter().enumerate() {
        if place == 3 || place == 6 {
            record.push(Field::Separator, "-");
        }
        record.push(digit, &value.to_string());
    }
    record.push(Field::Separator, " \n");
}
