//! The lab: analyses of a model, requested by their ids, worked out a piece at a time, drawn as figures.
//!
//! An analysis is a file here, and a line in `registry`.

mod adapters;
mod analysis;
mod architecture;
mod attention;
mod circuits;
mod composition;
mod corrupt;
mod error;
mod fit;
mod gates;
mod heads;
mod interventions;
mod job;
mod knockouts;
mod less;
mod memory;
mod numbers;
mod outputs;
mod patching;
mod registry;
mod residual;
mod snapshot;
mod subject;

pub use architecture::architecture;
pub use error::RequestError;
pub use fit::check_fit;
pub use job::AnalysisJob;
pub use numbers::numbers;
pub use registry::entries;
pub use snapshot::Snapshot;
