//! Reports on a model: its accuracy and speed, and analyses of its weights ([`circuits`]) and forward passes
//! ([`forward`]).

mod bench;
mod by_type;
pub mod circuits;
mod codec;
mod distill;
mod evaluation;
pub mod forward;
mod mapped;
mod order;
mod probe;
mod recall;
mod score;
mod segments;
pub mod sweep;

pub use bench::{BenchCurrent, BenchReport, BenchRow, Shape, StepTime};
pub use by_type::AttentionByType;
pub use codec::CodecPoint;
pub use distill::{DistillReport, LayerError, SideBySide};
pub use evaluation::{
    Answers, EvalOptions, Evaluated, FactsReport, MAX_RECORDS, PhoneReport, Report,
};
pub use mapped::{Mapped, MappingReport, Spaces};
pub use order::order;
pub use probe::{ProbeReport, ProbeSample};
pub use recall::RecallReport;
pub use score::{Bin, Calibration, Score};
pub use segments::{Segment, SegmentAttention};
