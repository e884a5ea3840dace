//! Looks into a model: runs the analysis that was asked for, a piece at a time, and shows the results as figures.

mod architecture;
mod change;
mod circuits;
mod error;
mod job;
mod less;
mod memory;
mod model;
mod outputs;
mod residual;
mod subject;

pub use architecture::architecture;
pub use error::LookError;
pub use job::AnalysisJob;
pub use model::Snapshot;
