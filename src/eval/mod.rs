//! Accuracy of a model, record by record.

mod errand;
mod errands;
mod evaluation;
mod facts;
mod mapping;
mod phone;
mod probe;
mod recall;
mod sweep;

pub use errand::run_errand;
pub use evaluation::{EvalError, Evaluation};
pub use probe::Probing;
pub use sweep::{Sweep, SweepRun};
