//! The likeliest outputs of a mapping: the best that can be written of records that are not known by heart.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::mapping::END;
use super::{Split, Task};
use crate::base::random::stream_rng;
use crate::report::Mapped;
use crate::run::{Field, Record};

/// Longest record, in symbols, where records are cut from a text.
pub const WINDOW: usize = 512;
/// The first of the streams that held-out records are drawn from.
const HELD_OUT: u64 = 3 << 62;
/// Most records whose likeliest outputs are looked for.
const MOST_RECORDS: usize = 1000;
/// Most beginnings of outputs that are followed in a record.
const MOST_BEGINNINGS: usize = 2000;

/// The beginning of an output, and its probability.
#[derive(PartialEq)]
struct Begun {
    probability: f64,
    text: String,
}

impl Eq for Begun {}

impl Ord for Begun {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_probability = self.probability.total_cmp(&other.probability);
        by_probability.then_with(|| other.text.cmp(&self.text))
    }
}

impl PartialOrd for Begun {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Task {
    /// Held-out record `number` of a run with `seed`.
    pub fn held_out(&self, number: usize, seed: u64) -> Record {
        self.draw(Split::Validation, WINDOW, &mut stream_rng(seed, HELD_OUT + number as u64))
    }

    /// Scores the likeliest outputs of the first `count` held-out records, 1,000 at most. In expectation no other outputs
    /// get more records right to the letter. `None` if records are learnt by
    /// heart, end with no output, or are of a text, whose source is not known.
    pub fn likeliest(&self, count: usize, seed: u64) -> Option<Mapped> {
        if self.is_by_heart() {
            return None;
        }
        let mut sum = Mapped::default();
        for number in 0..count.min(MOST_RECORDS) {
            let record = self.held_out(number, seed);
            let start = self.answer_start(&record)?;
            let prompt: String = record.symbols().take(start).collect();
            let wanted = record.part(Field::Answer);
            if !record.text.ends_with(END) || prompt.len() + wanted.len() + 1 != record.text.len() {
                return None;
            }
            sum.add(&Mapped::of(&self.likeliest_output(&prompt, &wanted)?, &wanted));
        }
        (sum.exact.of > 0).then_some(sum)
    }

    /// The likeliest output after `prompt`, where `wanted` is a possible one; `None` if it is not, or too many are nearly as
    /// likely to find the likeliest.
    fn likeliest_output(&self, prompt: &str, wanted: &str) -> Option<String> {
        let probability = self.probability(prompt, &format!("{wanted}{END}"));
        if probability > 0.5 {
            return Some(wanted.to_owned());
        }
        if probability == 0.0 {
            return None;
        }
        // Best first: a beginning is at least as likely as every output that goes on from it.
        let tokenizer = self.tokenizer();
        let symbols: Vec<&str> =
            (0..tokenizer.text_size() as u32).filter_map(|id| tokenizer.token(id)).collect();
        let mut begun = BinaryHeap::from([Begun { probability: 1.0, text: String::new() }]);
        for _ in 0..MOST_BEGINNINGS {
            let Begun { probability, text } = begun.pop()?;
            if let Some(output) = text.strip_suffix(END) {
                return Some(output.to_owned());
            }
            let read = format!("{prompt}{text}");
            begun.extend(symbols.iter().filter_map(|symbol| {
                let probability = probability * self.probability(&read, symbol);
                (probability > 0.0).then(|| Begun { probability, text: format!("{text}{symbol}") })
            }));
        }
        None
    }
}
