//! Examples for a codec: records of a task as mappings from an input to an output.

use super::learner::Example;
use crate::run::{Field, Record};
use crate::task::{Task, WINDOW, in_tokens};
use crate::tokenizer::Tokenizer;

/// Records of a run, as examples.
#[derive(Clone, Copy)]
pub struct Examples<'a> {
    pub task: &'a Task,
    pub tokenizer: &'a Tokenizer,
    pub seed: u64,
}

impl Examples<'_> {
    /// Training record `number`; `None` if it has no answer.
    pub fn training(&self, number: usize) -> Option<Example> {
        self.of(&self.task.training().numbered(number, WINDOW, self.seed))
    }

    /// Held-out record `number`; `None` if it has no answer.
    pub fn held_out(&self, number: usize) -> Option<Example> {
        self.of(&self.task.held_out(number, self.seed))
    }

    /// Example of a record: its answer is the output, and the symbols before are the input, without marks. `None` if
    /// the record has no answer, or a symbol that is no token.
    pub fn of(&self, record: &Record) -> Option<Example> {
        let record = in_tokens(record, self.tokenizer);
        let start = self.task.answer_start(&record)?;
        let ids: Option<Vec<u32>> = match record.ids.is_empty() {
            true => record.symbols().map(|symbol| self.tokenizer.id(symbol)).collect(),
            false => Some(record.ids.clone()),
        };
        let ids = ids?;
        let is_mark = |field: &Field| matches!(field, Field::Marker | Field::Separator);
        let part = |from: usize, to: usize, keeps: &dyn Fn(&Field) -> bool| {
            let symbols = ids[from..to].iter().zip(&record.fields[from..to]);
            symbols.filter(|(_, field)| keeps(field)).map(|(id, _)| *id).collect()
        };
        Some(Example {
            input: part(0, start, &|field| !is_mark(field)),
            output: part(start, ids.len(), &|field| *field == Field::Answer),
        })
    }
}
