//! Records that map an input to an output.

use burn::tensor::ExecutionError;
use rand_chacha::ChaCha8Rng;

use crate::generate::Writer;
use crate::report::{Mapped, MappingReport};
use crate::run::{Field, Record};
use crate::task::{Split, Task};

/// The end of a record.
const END: &str = "\n";

/// True if records of `task` end with their answer and a line end.
pub fn is_mapping(task: &Task, rng: &mut ChaCha8Rng) -> bool {
    let record = task.draw(Split::Validation, usize::MAX, rng);
    let answers = record.fields.iter().filter(|field| **field == Field::Answer).count();
    let ends = record.text.ends_with(END) && record.fields.last() == Some(&Field::Marker);
    answer_start(task, &record).is_some_and(|start| ends && start + answers + 1 == record.len())
}

fn answer_start(task: &Task, record: &Record) -> Option<usize> {
    task.answer_start(record).filter(|start| *start > 0)
}

/// Writes the output of one record, and adds its score to `report`. The record is one trained on if `index` is even,
/// else a held-out one. A record without an answer is skipped.
pub async fn score(
    report: &mut MappingReport,
    (task, trained): (&Task, &Task),
    index: usize,
    writer: &mut Writer,
    rng: &mut ChaCha8Rng,
) -> Result<(), ExecutionError> {
    let is_trained = index.is_multiple_of(2);
    let (task, split) = match is_trained {
        true => (trained, Split::Train),
        false => (task, Split::Validation),
    };
    let record = task.draw(split, usize::MAX, rng);
    let Some(start) = answer_start(task, &record) else { return Ok(()) };
    let prompt: String = record.symbols().take(start).collect();
    let wanted = record.part(Field::Answer);
    let limit = 2 * wanted.chars().count() + END.len();
    let written = writer.write(&prompt, END, limit).await?.text;
    let written = written.strip_suffix(END).unwrap_or(&written);
    let mapped = if is_trained { &mut report.trained } else { &mut report.held_out };
    mapped.add(&Mapped::of(written, &wanted));
    Ok(())
}
