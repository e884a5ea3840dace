//! Questions of a task: records up to their answers.

use super::registry::Task;
use super::split::Split;
use crate::base::random::stream_rng;
use crate::run::{Field, Record};

/// A record up to its answer, and the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub text: String,
    pub answer: String,
}

impl Task {
    /// The record that a question is of, by the question's number.
    pub fn question_record(&self, seed: u64, number: u64) -> Record {
        let split = if self.is_by_heart() { Split::Train } else { Split::Validation };
        self.draw(split, WINDOW, &mut stream_rng(seed, STREAM - number))
    }

    /// A question of the task, by its number; `None` for records without answers.
    pub fn question(&self, seed: u64, number: u64) -> Option<Question> {
        let record = self.question_record(seed, number);
        if let Some((place, symbol)) = record.targets.as_ref().and_then(|targets| targets.last()) {
            let text = record.symbols().take(place + 1).collect();
            return Some(Question { text, answer: symbol.clone() });
        }
        let start = self.answer_start(&record)?;
        let length = answer_len(&record, start);
        Some(Question {
            text: record.symbols().take(start).collect(),
            answer: record.symbols().skip(start).take(length).collect(),
        })
    }
}

/// Symbols of the answer from `start` on: until a marker, without what separates it from that.
fn answer_len(record: &Record, start: usize) -> usize {
    let fields = &record.fields[start..];
    let end = fields.iter().position(|field| *field == Field::Marker).unwrap_or(fields.len());
    let last = fields[..end].iter().rposition(|field| *field == Field::Answer);
    last.map_or(0, |last| last + 1)
}

const STREAM: u64 = u64::MAX / 4;
/// Longest record asked for, in symbols, where records are cut from a text.
const WINDOW: usize = 64;
