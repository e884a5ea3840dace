//! The best of predictors, which knows how a task writes its records.

use super::Task;

/// The best of predictors, reading a text character by character.
#[derive(Clone, Copy, Debug)]
pub struct Oracle {
    /// True if the task could have written the text read so far.
    is_possible: bool,
}

impl Oracle {
    /// A predictor that has read nothing yet.
    pub fn new() -> Self {
        Self { is_possible: true }
    }

    /// Cost of `character` after `prefix`, all that was read before it, in nats: −ln of its
    /// probability. `None` from the first character on that `task` never writes there, and for a
    /// task whose generator is not known.
    pub fn read(&mut self, task: &Task, prefix: &str, character: char) -> Option<f64> {
        let next = if self.is_possible { task.next(prefix) } else { Vec::new() };
        let found = next.into_iter().find(|(other, _)| *other == character);
        self.is_possible = found.is_some();
        found.map(|(_, probability)| probability.recip().ln())
    }

    /// Costs of the characters of `text`, which is read from its beginning.
    pub fn read_all(&mut self, task: &Task, text: &str) -> Vec<Option<f64>> {
        text.char_indices().map(|(at, c)| self.read(task, &text[..at], c)).collect()
    }
}

impl Default for Oracle {
    fn default() -> Self {
        Self::new()
    }
}

/// Costs of the characters of `text` to the best of predictors: see [`Oracle::read`].
pub fn surprisals(task: &Task, text: &str) -> Vec<Option<f64>> {
    Oracle::new().read_all(task, text)
}
