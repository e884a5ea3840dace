//! The best of predictors, which knows how a task writes its records.

use super::Task;

/// The best of predictors, reading a text symbol by symbol.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// The symbols read so far.
    text: String,
    /// True if the task could have written them.
    is_possible: bool,
}

impl Oracle {
    /// A predictor that has read nothing yet.
    pub fn new() -> Self {
        Self { text: String::new(), is_possible: true }
    }

    /// Cost of `symbol` as the next, in nats: −ln of its probability. `None` from the first symbol on that `task`
    /// never writes there, and for a task whose generator is not known.
    pub fn read(&mut self, task: &Task, symbol: &str) -> Option<f64> {
        let probability = if self.is_possible { task.probability(&self.text, symbol) } else { 0.0 };
        self.text.push_str(symbol);
        self.is_possible = probability > 0.0;
        self.is_possible.then(|| probability.recip().ln())
    }
}

impl Default for Oracle {
    fn default() -> Self {
        Self::new()
    }
}

/// Costs of `symbols`, read from the beginning of a record: see [`Oracle::read`].
pub fn surprisals<'a>(
    task: &Task,
    symbols: impl IntoIterator<Item = &'a str>,
) -> Vec<Option<f64>> {
    let mut oracle = Oracle::new();
    symbols.into_iter().map(|symbol| oracle.read(task, symbol)).collect()
}
