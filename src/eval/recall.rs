//! Queries of records whose targets are other symbols than the next.

use burn::tensor::ExecutionError;
use rand_chacha::ChaCha8Rng;

use crate::data::Row;
use crate::generate::Writer;
use crate::report::RecallReport;
use crate::task::{Split, Task};
use crate::tokenizer::Tokenizer;

/// True if records of `task` have such targets.
pub fn has_targets(task: &Task, rng: &mut ChaCha8Rng) -> bool {
    task.draw(Split::Validation, usize::MAX, rng).targets.is_some()
}

/// Answers the queries of a held-out record, and adds their scores to `report`.
///
/// # Errors
/// If the device failed.
pub async fn score(
    report: &mut RecallReport,
    task: &Task,
    tokenizer: &Tokenizer,
    writer: &mut Writer,
    rng: &mut ChaCha8Rng,
) -> Result<(), ExecutionError> {
    let record = task.draw(Split::Validation, usize::MAX, rng);
    let row = Row::new(&record, tokenizer, record.len() + tokenizer.memory_tokens());
    let targets = row.targets.as_deref().unwrap_or_default();
    let places: Vec<usize> = targets.iter().map(|(place, _)| *place).collect();
    let answers = writer.answer(&row.ids, &places).await?;
    for ((place, target), answer) in targets.iter().zip(answers) {
        // The key's first place. Noise before the query may hold it, too, but the pairs come first.
        let first = row.ids.iter().position(|id| *id == row.ids[*place]).unwrap_or(*place);
        report.add_query(place - first, answer == *target);
    }
    Ok(())
}
