//! Records of a run, without Burn: its losses, moments, operations and interventions, fields and floors, the
//! catalogue of analyses, and links.

mod adapter;
mod analysis;
mod catalogue;
mod device;
mod field;
mod floor;
pub mod gallery;
mod history;
mod intervention;
pub mod link;
mod moments;
mod operation;
mod packed;
mod probe;
mod record;

pub use adapter::{Adapter, LowRank, MAX_ADAPTERS, MAX_RANK};
pub use analysis::{AnalysisRequest, AnalysisResult};
pub use catalogue::{AnalysisEntry, Catalogue, Group, Input};
pub use device::{DeviceChoice, DeviceReport};
pub use field::Field;
pub use floor::{FieldFloor, Floor, Found};
pub use history::{
    FieldLoss, LossPoint, MAX_HISTORY, Reference, last_accuracy, push_thinned, seconds_of,
};
pub use intervention::{Action, ActivationIntervention, Intervention, Site, WeightIntervention};
pub use moments::Moments;
pub use operation::{AppliedOperation, MAX_EDITS, OPERATIONS, Operation, OperationKind, Procedure};
pub use packed::{MAX_PACKED, MAX_PACKED_CHARS, Packed};
pub use probe::{AnswerSource, Probe};
pub use record::Record;
